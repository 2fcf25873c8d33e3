"""What the `fit.toml` of an individual-level fit chooses: parameters, random effects, outcomes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pkpd.settings import Demands, Frozen, Sampler, Share, Whole, read_as

Positive = Annotated[float, Field(gt=0)]


class CovariateEffect(Frozen):
    """How a covariate acts on a parameter; `coefficient` is fixed, or `mean` and `sd` its prior.

    x the covariate, r its reference, b the coefficient: power (x / r)^b, exponential
    exp(b (x - r)), linear 1 + b (x - r), below 1 + b where x < r (else 1), equal exp(b) where
    x = r (else 1). Each multiplies the parameter.
    """

    name: str
    form: Literal["power", "exponential", "linear", "below", "equal"] = "power"
    reference: float
    coefficient: float | None = None
    mean: float | None = None
    sd: Positive | None = None

    @model_validator(mode="after")
    def _one_or_other(self) -> CovariateEffect:
        if (self.coefficient is None) == (self.mean is None or self.sd is None):
            raise ValueError("give coefficient, or mean and sd of its prior")
        return self


class Choice(Frozen):
    """What is said of one parameter; what is not said stays as the model has it.

    `fixed` is a value held; `median` and `sd` a prior (sd on the parameter's own scale: of its log,
    logit or itself). `between` is the SD of the half-normal prior of the between-subject SD, 0 for
    none; `between_fixed` that SD itself, held. `occasion` is the same between occasions of a
    subject.
    """

    fixed: float | None = None
    median: float | None = None
    sd: Positive | None = None
    between: Annotated[float, Field(ge=0)] | None = None
    between_fixed: Positive | None = None
    occasion: Annotated[float, Field(ge=0)] = 0.0
    covariates: tuple[CovariateEffect, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Choice:
        if self.fixed is not None and (self.median is not None or self.sd is not None):
            raise ValueError("give fixed, or median and sd of a prior, not both")
        if (self.median is None) != (self.sd is None):
            raise ValueError("a prior needs median and sd")
        if self.between is not None and self.between_fixed is not None:
            raise ValueError("give between or between_fixed, not both")
        return self


class Block(Frozen):
    """Parameters whose random effects are correlated: LKJ(`concentration`), 1 for uniform."""

    parameters: Annotated[tuple[str, ...], Field(min_length=2)]
    concentration: Positive = 2.0


class Observation(Frozen):
    """An observed output: which rows are of it, and what stands between model and number.

    `dvid` picks rows (all, if left out). `times` names a covariate that the output is multiplied
    by: a score relative to baseline becomes the score. `log` says that DV is the natural log of the
    output, and the error acts on the log; a data card that says so is enough. `priors` and `fixed`
    give every number of the outcome a prior (see `individual.numbers`) or a value. An ordinal
    outcome sees the log of the output; an event needs `cumulative`, the cumulative hazard; a Markov
    outcome `chain`, the states that are the probabilities of categories 0, 1, ..
    """

    output: str
    name: str = ""
    dvid: str | None = None
    outcome: Literal["continuous", "bounded", "ordinal", "binary", "count", "event", "markov"] = (
        "continuous"
    )
    error: Literal["additive", "proportional", "combined", "combined_sum", "lognormal", "power"] = (
        "proportional"
    )
    tails: Literal["normal", "student"] = "normal"
    blq: Literal["M1", "M3", "M4"] = "M3"
    log: bool = False
    times: str | None = None
    logit: bool = False
    dispersed: bool = False
    low: float = 0.0
    high: float = 72.0
    step: float = 0.0
    categories: Annotated[int, Field(ge=2)] = 5
    cumulative: str | None = None
    chain: tuple[str, ...] = ()
    priors: dict[str, Positive] = {}
    fixed: dict[str, float] = {}

    @property
    def label(self) -> str:
        """The name of the observation: its own, or the output's."""
        return self.name or self.output


class Predicted(Frozen):
    """A regimen predicted for new subjects, in the data's units of amount and time."""

    amount: Positive
    every: Positive | None = None
    count: Whole = 1
    lasts: Annotated[float, Field(ge=0)] = 0.0
    into: str | None = None
    times: Annotated[tuple[float, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _repeated(self) -> Predicted:
        if self.count > 1 and self.every is None:
            raise ValueError("count above 1 needs every, the time between doses")
        return self


class Predictions(Frozen):
    """What is predicted: replicates of the data, and new subjects under regimens."""

    regimens: tuple[Predicted, ...] = ()
    patients: Whole = 200
    draws: Whole = 200
    replicates: Whole = 200
    bins: int | Literal["time"] | tuple[float, ...] = 8
    level: Share = 0.9
    seed: int = 1


class Published(Frozen):
    """A published estimate that the report prints beside the posterior."""

    parameter: str
    value: float
    source: str


class Engine(Frozen):
    """How equations that have no closed form are solved.

    `precision` is that of explicit steps while NUTS walks and `pkpd courses` follows: single takes
    half the time. The start, all checks and all other predictions are double, and the
    proof of the mesh is of what was walked, or followed, beside double.
    """

    method: Literal["auto", "rk4", "rosenbrock"] = "auto"
    tolerance: Positive = 1e-5
    precision: Literal["double", "single"] = "double"


SCORED_TOGETHER = 2048
"""Score points of a subject that are solved together; the error needs two halves of such sets."""


class IndividualSampler(Sampler):
    """How draws are made, and what becomes of the subjects' effects.

    `walked` effects are coordinates of NUTS; `integrated` ones are summed over `points` of each
    subject and drawn afterwards, so that NUTS walks the population's numbers alone; `score_points`
    more (0: none) are solved at the mode alone, for the density's slope there. `averaged` ones are
    summed over fresh points at every draw of the population, for an independence chain: of few
    subjects, and without `tune`.
    """

    pilot: int = Field(default=0, ge=0)
    adaptation: Literal["diag", "low_rank"] = "diag"
    effects: Literal["walked", "integrated", "averaged"] = "walked"
    points: Annotated[int, Field(ge=128)] = 1024
    score_points: Annotated[int, Field(ge=0)] = 0

    @field_validator("points")
    @classmethod
    def _power_of_two(cls, count: int) -> int:
        if count & (count - 1):
            below = 2 ** (count.bit_length() - 1)
            raise ValueError(f"points are Sobol's: take a power of two, {below} or {2 * below}")
        return count

    @field_validator("score_points")
    @classmethod
    def _two_halves(cls, count: int) -> int:
        if count % (2 * SCORED_TOGETHER):
            raise ValueError(f"give 0, or a multiple of {2 * SCORED_TOGETHER:,}")
        return count

    @model_validator(mode="after")
    def _no_pilot_of_points(self) -> IndividualSampler:
        if self.effects != "walked" and self.pilot:
            raise ValueError(
                f"with {self.effects} effects there is no pilot run: leave `pilot` out"
            )
        return self


class IndividualSettings(Frozen):
    """An individual-level fit, as `fit.toml` states it, after defaults."""

    name: str
    title: str
    model: str
    data: str
    time_unit: str | None = None
    observations: Annotated[tuple[Observation, ...], Field(min_length=1)]
    parameters: dict[str, Choice] = {}
    blocks: tuple[Block, ...] = ()
    published: tuple[Published, ...] = ()
    engine: Engine = Engine()
    sampler: IndividualSampler = IndividualSampler()
    demands: Demands = Demands()
    predictions: Predictions = Predictions()


def is_individual(path: Path) -> bool:
    """Whether a fit.toml that can be read at all is of an individual-level fit."""
    try:
        return "observations" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False


def read_individual_settings(path: Path) -> IndividualSettings:
    """The settings of an individual-level fit; `DataError` lists every fault of the file."""
    return read_as(path, IndividualSettings)
