"""The log-likelihood of arm-level results: every study's arms under one set of free variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import blocks, entered, frozen, gaussian, randomised, trajectories
from pkpd.arm_level.blocks import Moments
from pkpd.arm_level.frozen import Frozen
from pkpd.arm_level.picking import picker
from pkpd.arm_level.summaries import Summaries
from pkpd.arm_level.trajectories import Lanes
from pkpd.model import Model


@dataclass(frozen=True)
class Paths:
    """Every virtual patient on the mesh: EASI ratio, stay probability, mg/L at (days, runs, N)."""

    ratio: Array
    stay: Array
    level: Array


def paths(model: Model, values: Mapping[str, Array], lanes: Lanes) -> Paths:
    """Solve the disease model for every lane."""
    level = _once(trajectories.concentration(values, lanes))
    ratio = _once(trajectories.lesions(model, values, lanes, level))
    return Paths(ratio, _once(trajectories.staying(values, lanes, ratio)), level[::2])


def _once(x: Array) -> Array:
    """Computed once: else the compiler fuses, and repeats, it inside every reader's loop."""
    return jax.lax.optimization_barrier(x)


def moments(values: Mapping[str, Array], s: Summaries, found: Paths, lanes: Lanes) -> Moments:
    """Predicted features of one study and their covariance."""
    pick = picker(s.day, s.run, found.ratio.shape)

    def at_visits(path: Array) -> Array:
        return _once(pick(path))

    make = entered.moments if s.entered else randomised.moments
    clear = values["iga_easi"] * jnp.exp(trajectories.effect(values, "iga_easi"))
    values = {**values, "iga_easi": clear[lanes.trial[s.run]][:, None, None]}
    return make(
        values,
        s,
        at_visits(found.ratio),
        at_visits(found.stay),
        at_visits(found.level),
        jnp.asarray(lanes.easi)[s.run],
    )


def of_study(
    values: Mapping[str, Array],
    s: Summaries,
    found: Paths,
    lanes: Lanes,
    held: Frozen | None = None,
) -> Array:
    """Log-likelihood of each arm of a study; an entered study's given its first visit.

    With `held`, the covariance stays what it was there and only the means are computed.
    """
    made = moments(values, s, found, lanes)
    if held is not None:
        return frozen.log_density(s, made.mean, held)
    expected, covariance = blocks.transformed(s, made, s.n, values["level_sd"])
    residual = jnp.asarray(s.observed) - expected
    posted = jnp.asarray(s.posted)
    whole = gaussian.masked(residual, covariance, posted)
    if not s.entered:
        return whole
    columns = len(s.columns)
    return whole - gaussian.masked(
        residual[:, :columns], covariance[:, :columns, :columns], posted[:, :columns]
    )


def log_likelihood(
    model: Model,
    values: Mapping[str, Array],
    lanes: Lanes,
    studies: tuple[Summaries, ...],
    held: tuple[Frozen, ...] | None = None,
) -> Float[Array, " arms"]:
    """One value an arm, in the order of the studies and their arms."""
    found = paths(model, values, lanes)
    each = held or (None,) * len(studies)
    pairs = zip(studies, each, strict=True)
    return jnp.concatenate([of_study(values, s, found, lanes, at) for s, at in pairs])


def residuals(
    model: Model,
    values: Mapping[str, Array],
    lanes: Lanes,
    studies: tuple[Summaries, ...],
    held: tuple[Frozen, ...],
) -> list[Float[Array, " features"]]:
    """Whitened residuals of each arm, in the order of `log_likelihood`."""
    found = paths(model, values, lanes)
    white = [
        frozen.whitened(s, moments(values, s, found, lanes).mean, at)
        for s, at in zip(studies, held, strict=True)
    ]
    return [arm for study in white for arm in study]


def holder(
    model: Model, lanes: Lanes, studies: tuple[Summaries, ...]
) -> Callable[[Mapping[str, Array]], tuple[Frozen, ...]]:
    """Compiled: values -> the covariances of every study, held there."""

    @jax.jit
    def made(values: Mapping[str, Array]) -> tuple[tuple[Array, Array], ...]:
        found = paths(model, values, lanes)
        each = (moments(values, s, found, lanes) for s in studies)
        return tuple((m.mean, m.covariance) for m in each)

    def hold(values: Mapping[str, Array]) -> tuple[Frozen, ...]:
        return frozen.freeze_all(studies, tuple(Moments(*m) for m in made(values)), values)

    return hold


def arm_names(studies: tuple[Summaries, ...]) -> np.ndarray:
    """`study: arm` in the order of `log_likelihood`."""
    return np.array([f"{s.study}: {arm}" for s in studies for arm in s.arms])
