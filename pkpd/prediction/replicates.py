"""What an individual-level fit would have seen: its own subjects again, or new ones like them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.outcomes import drawn, expected
from pkpd.individual.problem import IndividualLikelihood

Draws = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Seen:
    """By observation: expected values and simulated observations, shape (draws, rows) each."""

    expected: list[Float[np.ndarray, "draws n"]]
    simulated: list[Float[np.ndarray, "draws n"]]


def effects_of(likelihood: IndividualLikelihood) -> tuple[str, ...]:
    """Names of the standardised random effects."""
    return tuple(v.name for v in likelihood.space.variables if v.dim is not None)


def again(
    likelihood: IndividualLikelihood,
    draws: Draws,
    *,
    seed: int,
    new_subjects: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Seen:
    """The observed rows simulated again, at every draw; the same seed gives the same numbers.

    With `new_subjects` each subject's effects are drawn anew, its doses, times and covariates kept.
    """
    names = effects_of(likelihood)

    @jax.jit
    def one(values: dict[str, Array], key: Array) -> tuple[list[Array], list[Array]]:
        effects, noise = jax.random.split(key)
        if new_subjects:
            keys = jax.random.split(effects, max(1, len(names)))
            fresh = {n: jax.random.normal(k, values[n].shape) for n, k in zip(names, keys)}  # noqa: B905
            values = {**values, **fresh}
        streams, found = likelihood.solver.design.streams, likelihood.fitted(values)
        keys = jax.random.split(noise, len(streams))
        means = [expected(s, f, values) for s, f in zip(streams, found, strict=True)]
        new = [drawn(s, f, values, k) for s, f, k in zip(streams, found, keys, strict=True)]
        return means, new

    count = len(next(iter(draws.values())))
    means, new = [], []
    for k, key in enumerate(jax.random.split(jax.random.key(seed), count)):
        mean, simulated = one({n: jnp.asarray(v[k]) for n, v in draws.items()}, key)
        means.append([np.asarray(each) for each in mean])
        new.append([np.asarray(each) for each in simulated])
        progress((k + 1) / count)
    streams = range(len(means[0]))
    return Seen(
        [np.stack([each[s] for each in means]) for s in streams],
        [np.stack([each[s] for each in new]) for s in streams],
    )


def finite(seen: Seen) -> tuple[Seen, int]:
    """The data sets that are numbers throughout, and how many are not."""
    both = [*seen.expected, *seen.simulated]
    whole = np.logical_and.reduce([np.isfinite(each).all(axis=1) for each in both])
    kept = Seen([e[whole] for e in seen.expected], [e[whole] for e in seen.simulated])
    return kept, int((~whole).sum())


def typical_rows(likelihood: IndividualLikelihood, draws: Draws) -> list[Float[np.ndarray, " n"]]:
    """Expected values of the observed rows for typical subjects, at the draws' mean."""
    values = {name: jnp.asarray(draw.mean(axis=0)) for name, draw in draws.items()}
    values |= {name: jnp.zeros_like(values[name]) for name in effects_of(likelihood)}
    streams = likelihood.solver.design.streams
    found = jax.jit(likelihood.fitted)(values)
    return [np.asarray(expected(s, f, values)) for s, f in zip(streams, found, strict=True)]
