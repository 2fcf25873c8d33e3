"""How each parameter of a model is made up in a fit: prior, random effects, covariates.

On the parameter's own scale g (log, logit or identity), for subject i on occasion k

    g(own) = g(typical) + between_i + occasion_ik,    own = g^-1(..) x product of covariate factors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pkpd.errors import DataError, Fault
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Block, Choice, CovariateEffect, IndividualSettings
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal, Prior
from pkpd.variation.spread import Cv, Sd, Variance

_PRIORS = {"log": LogNormal, "logit": LogitNormal, "identity": Normal}


@dataclass(frozen=True)
class Makeup:
    """One parameter of a fit; `between` is a prior on the SD of its random effect, or the SD."""

    parameter: Parameter
    value: float
    prior: Prior | None
    between: Prior | float | None
    occasion: Prior | None
    covariates: tuple[CovariateEffect, ...]

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.parameter.name


def makeup(model: Model, settings: IndividualSettings, where: str) -> tuple[Makeup, ...]:
    """Every parameter of the model, as the settings or else the model have it.

    Dosing parameters (`f_depot`, `lag_depot` ...) are parameters too where the settings name them.
    Raises `DataError` with every name that is none.
    """
    extra = _dosing_parameters(model, settings.parameters)
    known = {p.name: p for p in (*model.parameters, *extra)}
    faults = [*_unknown(settings, known, where), *_blocks(settings.blocks, where)]
    faults += _out_of_range(settings, known, where)
    if faults:
        raise DataError(faults)
    chosen = settings.parameters
    return tuple(_made(p, chosen.get(p.name, _default(p, model))) for p in known.values())


def _default(parameter: Parameter, model: Model) -> Choice:
    """What holds of a parameter the settings do not name: of another drug's, the value it has."""
    if parameter.only and model.drug not in parameter.only:
        return Choice(fixed=parameter.otherwise, between=0.0)
    return Choice()


def _made(parameter: Parameter, choice: Choice) -> Makeup:
    prior = None if choice.fixed is not None else parameter.prior
    if choice.median is not None and choice.sd is not None:
        prior = _PRIORS[parameter.scale](choice.median, choice.sd)
    value = choice.fixed if choice.fixed is not None else parameter.value
    return Makeup(
        parameter,
        prior.median if prior else value,
        prior,
        _between(parameter, choice),
        HalfNormal(choice.occasion) if choice.occasion else None,
        choice.covariates,
    )


def _between(parameter: Parameter, choice: Choice) -> Prior | float | None:
    if choice.between_fixed is not None:
        return choice.between_fixed
    if choice.between is not None:
        return HalfNormal(choice.between) if choice.between else None
    if isinstance(parameter.between, Sd | Variance | Cv):
        return parameter.between.sd
    return parameter.between


def _dosing_parameters(model: Model, chosen: Sequence[str] | dict) -> list[Parameter]:
    """Dosing parameters that the settings name and the model does not have."""
    own = {p.name for p in model.parameters}
    scales: dict[str, Literal["log", "logit"]] = {
        "f": "logit", "lag": "log", "rate": "log", "dur": "log",
    }  # fmt: skip
    return [
        Parameter(f"{role}_{state}", 0.5 if role == "f" else 1.0, "1" if role == "f" else "",
                  f"{role} of doses into {state}", scale=scale, reason="named in fit.toml")
        for state in model.states
        for role, scale in scales.items()
        if f"{role}_{state}" in chosen and f"{role}_{state}" not in own
    ]  # fmt: skip


def _unknown(settings: IndividualSettings, known: dict, where: str) -> Iterator[Fault]:
    named = [*settings.parameters, *(p for block in settings.blocks for p in block.parameters)]
    for name in dict.fromkeys(named):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            yield Fault(
                f"{where}, parameters.{name}",
                f"the model has no parameter '{name}'",
                f"{meant}Parameters: {', '.join(known)}",
            )


def _blocks(blocks: tuple[Block, ...], where: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for block in blocks:
        for name in block.parameters:
            if name in seen:
                yield Fault(f"{where}, blocks", f"'{name}' stands in two places", "Keep one.")
            seen.add(name)


def _out_of_range(settings: IndividualSettings, known: dict, where: str) -> Iterator[Fault]:
    for name, choice in settings.parameters.items():
        scale = known[name].scale if name in known else "identity"
        for key in ("fixed", "median"):
            value = getattr(choice, key)
            if value is None:
                continue
            varies = key == "median" or choice.between or choice.between_fixed
            if scale == "log" and (value < 0 or (value == 0 and varies)):
                yield Fault(f"{where}, parameters.{name}.{key}", f"{value:g} on a log scale",
                            "Give a value above zero")  # fmt: skip
            if scale == "logit" and varies and not 0 < value < 1:
                yield Fault(f"{where}, parameters.{name}.{key}", f"{value:g} on a logit scale",
                            "Give a value within 0 and 1")  # fmt: skip
