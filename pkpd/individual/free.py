"""The free numbers of an individual-level fit.

A parameter `cl` gives `cl` (typical value), `cl_between` (SD of its random effect), `cl_eta` (the
subjects' standardised effects, independent standard normal), `cl_occasion` and `cl_occasion_eta`
(the same by subject and occasion), and `cl_wt` for a covariate WT. A block of parameters adds
`cl_v_partial`, ... : partial correlations from which the correlation matrix is built. An
observation `concentration` adds `concentration_additive` and so on. Subject i's random effects are
then SD x (L z_i), L the Cholesky factor of the correlations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pkpd.individual.makeup import Makeup
from pkpd.individual.numbers import numbers
from pkpd.settings_individual import Block, Observation
from pkpd.variation.correlation import partial_shapes
from pkpd.variation.prior import Normal, Partial, Prior
from pkpd.variation.space import Space, Variable

SUBJECT, OCCASION = "subject", "occasion"


@dataclass(frozen=True)
class Group:
    """Parameters whose effects are correlated, and the names of their partial correlations."""

    parameters: tuple[str, ...]
    partials: tuple[str, ...]


def groups(blocks: tuple[Block, ...]) -> tuple[Group, ...]:
    """The correlated groups of a fit; partials in the order of `correlation.cholesky`."""
    return tuple(Group(b.parameters, tuple(_pairs(b.parameters))) for b in blocks)


def _pairs(names: tuple[str, ...]) -> Iterator[str]:
    """Names of the partial correlations, level by level as `partial_shapes` orders them."""
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            yield f"{first}_{second}_partial"


def free_space(
    made: tuple[Makeup, ...],
    blocks: tuple[Block, ...],
    observations: tuple[Observation, ...],
    coords: Mapping[str, tuple[str, ...]],
) -> Space:
    """The space of all free numbers, population first, individual effects last."""
    population = [v for each in made for v in _population(each)]
    population += [v for block in blocks for v in _correlations(block)]
    population += [v for each in observations for v in _outcome(each)]
    individual = [v for each in made for v in _individual(each, coords)]
    return Space((*population, *individual), dict(coords))


def _scalar(name: str, prior: Prior, meaning: str, unit: str = "1") -> Variable:
    return Variable(name, prior, None, 1, meaning, unit)


def _population(made: Makeup) -> Iterator[Variable]:
    name, scale = made.name, made.parameter.scale
    if made.prior is not None:
        yield _scalar(name, made.prior, made.parameter.meaning, made.parameter.unit)
    for effect in made.covariates:
        if effect.mean is not None and effect.sd is not None:
            meaning = f"effect of {effect.name} on {name}, {effect.form}"
            yield _scalar(f"{name}_{effect.name.lower()}", Normal(effect.mean, effect.sd), meaning)
    if made.between is not None and not isinstance(made.between, float | int):
        meaning = f"between-subject SD of {name}, {scale} scale"
        yield _scalar(f"{name}_between", made.between, meaning)
    if made.occasion is not None:
        meaning = f"between-occasion SD of {name}, {scale} scale"
        yield _scalar(f"{name}_occasion", made.occasion, meaning)


def _correlations(block: Block) -> Iterator[Variable]:
    size = len(block.parameters)
    shapes = partial_shapes(size, block.concentration)
    for name, shape in zip(_pairs(block.parameters), shapes, strict=True):
        yield _scalar(name, Partial(shape), "partial correlation of two random effects")


def _outcome(observation: Observation) -> Iterator[Variable]:
    for number in numbers(observation):
        if number.name not in observation.fixed:
            label = f"{observation.label}_{number.name}"
            yield _scalar(label, number.prior, f"{observation.label}: {number.meaning}")


def _individual(made: Makeup, coords: Mapping[str, tuple[str, ...]]) -> Iterator[Variable]:
    standard = Normal(0.0, 1.0)
    if made.between is not None:
        size, meaning = len(coords[SUBJECT]), f"standardised effects of subjects on {made.name}"
        yield Variable(f"{made.name}_eta", standard, SUBJECT, size, meaning, "1")
    if made.occasion is not None:
        size, meaning = len(coords[OCCASION]), f"standardised effects of occasions on {made.name}"
        yield Variable(f"{made.name}_occasion_eta", standard, OCCASION, size, meaning, "1")
