"""What the `fit.toml` of a joint fit chooses: an arm-level fit with a table `[individual]`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pkpd.settings import Frozen, Settings, read_as, read_settings
from pkpd.settings_individual import (
    Block,
    Choice,
    Engine,
    IndividualSampler,
    IndividualSettings,
    Observation,
    Predictions,
    is_individual,
    read_individual_settings,
)


class IndividualPart(Frozen):
    """Records of the patients of one study: their model, data and outcomes.

    `model` is a pharmacokinetic model with the fit's own disease model, as "PK+PD". Times are told
    in its unit (a data card's unit is changed to it).
    """

    study: str
    drug: str
    model: str
    data: str
    observations: Annotated[tuple[Observation, ...], Field(min_length=1)]
    parameters: dict[str, Choice] = {}
    blocks: tuple[Block, ...] = ()
    engine: Engine = Engine()


class JointSettings(Settings):
    """A joint fit, as `fit.toml` states it, after defaults."""

    individual: IndividualPart

    def of_individuals(self) -> IndividualSettings:
        """The same for the individual data alone, with this fit's sampler and demands."""
        part, asked = self.individual, self.predictions
        return IndividualSettings(
            name=self.name,
            title=self.title,
            model=part.model,
            data=part.data,
            observations=part.observations,
            parameters=part.parameters,
            blocks=part.blocks,
            engine=part.engine,
            sampler=IndividualSampler(**self.sampler.model_dump()),
            demands=self.demands,
            predictions=Predictions(level=asked.level, seed=asked.seed),
        )


def is_joint(path: Path) -> bool:
    """Whether a fit.toml that can be read at all is of a joint fit."""
    try:
        return "individual" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def read_arm_settings(path: Path) -> Settings:
    """The settings of a fit to arms, `JointSettings` where individuals are fitted with them."""
    return read_as(path, JointSettings) if is_joint(path) else read_settings(path)


def read_any_settings(path: Path) -> Settings | IndividualSettings:
    """The settings of a fit of any kind; `DataError` lists every fault of the file."""
    return read_individual_settings(path) if is_individual(path) else read_arm_settings(path)
