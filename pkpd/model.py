"""A Model: states, rates, parameters, variation and sources, as one frozen value.

A file in `models/` builds exactly one and calls it `model`. Equations are plain functions of
named things; every number carries its unit and source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pkpd.variation.prior import Prior
from pkpd.variation.spread import Spread

Named = Mapping[str, Any]
DOSING = {"f": 1.0, "lag": 0.0, "rate": math.nan, "dur": math.nan}
"""What becomes of a dose, by compartment as in `f_depot`, and what holds if nothing says so: the
share that arrives, the delay, the modelled rate (RATE -1) and duration (RATE -2)."""


@dataclass(frozen=True)
class Source:
    """Where a number comes from: the paper, and the place in it."""

    paper: str
    place: str

    def __str__(self) -> str:
        return f"{self.paper}, {self.place}"


@dataclass(frozen=True)
class Parameter:
    """One number of a model.

    `value` is the published or default typical value; `prior` is set where fits may estimate it.
    `between` is the between-subject spread: a `Spread` (published, fixed) or a `Prior` on its
    standard deviation (estimated); its random effect acts on `scale`.
    `per` says whether one value serves all ("all") or each drug has its own ("drug"), then only
    drugs in `only` (all if empty), others taking `otherwise`. `between_trials` is the prior of
    the standard deviation of trial-level effects, on `scale`.
    `reason` says why the value is what it is where no `source` does.
    """

    name: str
    value: float
    unit: str
    meaning: str
    source: Source | None = None
    scale: Literal["log", "logit", "identity"] = "log"
    between: Spread | Prior | None = None
    prior: Prior | None = None
    per: Literal["all", "drug"] = "all"
    only: tuple[str, ...] = ()
    otherwise: float = 0.0
    between_trials: Prior | None = None
    reason: str = ""


@dataclass(frozen=True)
class Correlation:
    """The correlation of the random effects of two parameters."""

    first: str
    second: str
    value: float
    source: Source


@dataclass(frozen=True)
class Covariate:
    """A measured property of a subject; `reference` is the value the typical subject has."""

    name: str
    unit: str
    reference: float
    meaning: str
    spread: Spread | None = None


@dataclass(frozen=True)
class Claim:
    """A published statement the model is held to: see the gates in `tests/`.

    `check(simulate)` gives the model's number and the published one; `tolerance` is relative.
    """

    statement: str
    check: Callable[[Any], tuple[float, float]]
    tolerance: float
    source: Source


def net(
    turnover: Callable[[Any, Named, Named, Named], dict[str, tuple[Any, Any]]],
) -> Callable[[Any, Named, Named, Named], dict[str, Any]]:
    """Rates of a turnover model: production - loss x for each state."""

    def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
        flows = turnover(t, x, p, u)
        return {name: gain - loss * x[name] for name, (gain, loss) in flows.items()}

    return rates


@dataclass(frozen=True)
class Model:
    """Equations and numbers of a published or library model.

    `individual(p, covariates)` gives the parameters of one subject from parameters whose random
    effects are applied. `rates(t, x, p, u)` gives the derivative of each state: `t` since the
    subject's first dose (kind "pk" and "pkpd") or entry ("pd"), `x` amounts or levels by state
    name, `p` the individual's parameters, `u` inputs by name.
    `turnover(t, x, p, u)`, where given, says the same as production and loss of each state,
    x' = production - loss x, for a solver that no rate can upset (then rates=net(turnover)).
    `outputs(x, p)` gives the observables; there `x` holds the inputs, too, and the time `t`. All
    are elementwise, so that each value may be a number or an array over subjects.
    `stiff` rates are solved by an implicit method. `parts` are the models a joined one (kind
    "pkpd") was made of.
    """

    name: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]
    states: tuple[str, ...]
    rates: Callable[[Any, Named, Named, Named], dict[str, Any]]
    outputs: Callable[[Named, Named], dict[str, Any]]
    units: Mapping[str, str]
    kind: Literal["pk", "pd", "pkpd"] = "pk"
    drug: str | None = None
    turnover: Callable[[Any, Named, Named, Named], dict[str, tuple[Any, Any]]] | None = None
    initial: Callable[[Named], dict[str, Any]] | None = None
    individual: Callable[[Named, Named], dict[str, Any]] | None = None
    covariates: tuple[Covariate, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    doses_into: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    linear: bool = False
    stiff: bool = False
    dosing: Mapping[str, str] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    residual: Spread | None = None
    warning: str | None = None
    parts: tuple[Model, ...] = ()

    def __hash__(self) -> int:
        """By name, since some fields have none: programs are kept by the model they are for."""
        return hash(self.name)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; `KeyError` if there is none."""
        return {parameter.name: parameter for parameter in self.parameters}[name]

    def typical(self) -> dict[str, float]:
        """Typical values by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}
