"""What keeps individuals and arms from one fit, every fault of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pkpd.data.arms import ArmData
from pkpd.errors import Fault
from pkpd.model import Model
from pkpd.settings import Settings
from pkpd.settings_joint import JointSettings

ENOUGH = 64
"""Virtual patients an arm from which spreads between patients mixed; see `docs/likelihood.md`."""


def few_patients(settings: Settings) -> str:
    """What to do about arms of fewer virtual patients than `ENOUGH`; empty where they have them."""
    count = settings.patients.count
    if count >= ENOUGH:
        return ""
    return (
        f"Set patients.count = {ENOUGH} or more: with {count} virtual patients an arm, spreads "
        "between patients may have modes that are the points' and not the data's."
    )


def settings_faults(
    settings: JointSettings, disease: Model | None, data: ArmData | None, where: str
) -> Iterator[Fault]:
    """Faults of the table `[individual]` beside what the arm level says; `where` names the file."""
    part = settings.individual
    if part.drug not in settings.drugs:
        near = difflib.get_close_matches(part.drug, settings.drugs, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        listed = ", ".join(settings.drugs)
        yield Fault(
            f"{where}, individual.drug",
            f"'{part.drug}' is no drug of the fit",
            f"{meant}Drugs: {listed}",
        )
    if data is not None and part.study in {arm.study for arm in data.arms}:
        yield Fault(
            f"{where}, individual.study",
            f"arms of '{part.study}' are fitted, too: its patients would count twice",
            "Leave that study out of the arm-level data, by a rule of its card",
        )
    if settings.model not in part.model.split("+")[1:]:
        yield Fault(
            f"{where}, individual.model",
            f"'{part.model}' is not joined with the fit's own disease model",
            f"Name the drug's model, a plus and {settings.model}",
        )
    if settings.compare:
        yield Fault(
            f"{where}, compare",
            "a joint fit is not compared with other models yet",
            "Leave compare out; fit the other model in a folder of its own",
        )
    if disease is not None:
        yield from _shared_named(settings, disease, where)


def _shared_named(settings: JointSettings, disease: Model, where: str) -> Iterator[Fault]:
    """Shared parameters are what the arm level says; independent between patients, as there."""
    part, shared = settings.individual, {p.name for p in disease.parameters}
    for name in part.parameters:
        if name in shared:
            yield Fault(
                f"{where}, individual.parameters.{name}",
                f"'{name}' is shared with the arms: {disease.name} has its prior and spread",
                "Leave the table out, or change the model's file",
            )
    for block in part.blocks:
        for name in block.parameters:
            if name in shared:
                yield Fault(
                    f"{where}, individual.blocks",
                    f"'{name}' is shared with the arms, whose patients vary in it independently",
                    "Name parameters of the pharmacokinetics alone",
                )


def model_faults(settings: JointSettings, model: Model, where: str) -> Iterator[Fault]:
    """Whether the individuals' model is of their drug."""
    drug = settings.individual.drug
    if model.drug is not None and model.drug != drug and drug in settings.drugs:
        yield Fault(
            f"{where}, individual.model",
            f"'{model.name}' is of {model.drug}, the individuals' drug is {drug}",
            "Name a model of that drug",
        )
