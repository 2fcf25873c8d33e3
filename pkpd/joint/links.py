"""What individuals and arms share: the disease model's typical values and spreads.

For the individual study's drug d, on a parameter's own scale g (log, logit or identity),

    g(typical) = g(x[d]) + x_trial_sd x_study,    between-subject SD = x_between,

with x_study its standardised trial effect (where the parameter has `between_trials`), standard
normal as every trial's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jaxtyping import Array

from pkpd.individual.makeup import Makeup
from pkpd.individual.own import FROM, TO
from pkpd.model import Model, Parameter
from pkpd.variation.prior import Normal
from pkpd.variation.space import Space, Variable

Values = Mapping[str, Array]


@dataclass(frozen=True)
class Shared:
    """A parameter of both levels; `at` is the drug's place where each drug has its own value."""

    parameter: Parameter
    at: int | None

    @property
    def study(self) -> str:
        """The name of the individual study's standardised trial effect."""
        return f"{self.parameter.name}_study"

    @property
    def names(self) -> tuple[str, str]:
        """The individual model's numbers that this gives, as the individual level calls them."""
        return self.parameter.name, f"{self.parameter.name}_between"

    def typical(self, values: Values) -> Array:
        """The individual study's typical value."""
        name, scale = self.parameter.name, self.parameter.scale
        value = values[name] if self.at is None else values[name][self.at]
        if self.parameter.between_trials is None:
            return value
        return FROM[scale](TO[scale](value) + values[f"{name}_trial_sd"] * values[self.study])


@dataclass(frozen=True)
class Links:
    """The shared parameters, and how the joint fit calls each number that the individuals own."""

    shared: tuple[Shared, ...]
    own: Mapping[str, str]

    def translated(self, values: Values) -> dict[str, Array]:
        """The individual level's numbers, as many as `values` (the joint fit's) suffice for."""
        found = {name: values[to] for name, to in self.own.items() if to in values}
        for each in self.shared:
            name, spread = each.names
            found[name] = each.typical(values)
            if each.parameter.between is not None:
                found[spread] = values[spread]
        return found


def shared_parameters(disease: Model, made: Iterable[Makeup]) -> tuple[Parameter, ...]:
    """Parameters of the disease model that are free in the individual one, too."""
    free = {each.name for each in made if each.prior is not None}
    return tuple(p for p in disease.parameters if p.name in free)


def link(disease: Model, made: tuple[Makeup, ...], *, known: Space, own: Space, drug: str) -> Links:
    """How the individual level's numbers (`own`) follow from the arm level's (`known`)."""
    drugs = known.coords["drug"]
    shared = tuple(
        Shared(p, drugs.index(drug) if p.per == "drug" and not p.only else None)
        for p in shared_parameters(disease, made)
    )
    given = {name for each in shared for name in each.names}
    taken = {*known.names, *(each.study for each in shared)}
    kept = [name for name in own.names if name not in given]
    return Links(shared, {n: f"individual_{n}" if n in taken else n for n in kept})


def study_effects(links: Links, study: str) -> list[Variable]:
    """The standardised trial effects of the individual study, as free numbers."""
    return [
        Variable(
            each.study,
            Normal(0.0, 1.0),
            None,
            1,
            f"standardised effect of {study} on {each.parameter.name}",
            "1",
        )
        for each in links.shared
        if each.parameter.between_trials is not None
    ]
