"""What a model forecasts of the features asked for, draw by draw.

Each draw says of an arm's features what the likelihood says: a normal on the fitted scale, with the
draw's own mean and covariance (patients, visits, missed visits, assay, discrepancy). The features
known of the same arm are conditioned on; for a re-randomised arm that is its selection visit, as
in the fit. The numbers of patients behind a mean are predicted too: those present, on average over
draws, and for concentrations the share sampled at visits that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from pkpd.arm_level import arms, blocks
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.summaries import Summaries
from pkpd.errors import FitError
from pkpd.validation.mixture import Mixture
from pkpd.validation.split import Split

Moments = list[tuple[Array, Array]]
Values = Mapping[str, Array]
SOUND = 0.95
LEAST = 1e-6
"""Smallest standard deviation on the fitted scale."""


def by_model(
    likelihood: Likelihood,
    splits: tuple[Split, ...],
    draws: Mapping[str, np.ndarray],
    progress: Callable[[float], None],
) -> Mixture:
    """The forecast of each row of `split.rows_of(splits)`, a normal a draw.

    Raises
    ------
    FitError
        Where more than one draw in twenty has no forecast: that of a drug's prior, say.
    """
    some = tuple(each for each in splits if each.asked.any())
    count = len(next(iter(draws.values())))
    points = [{n: jnp.asarray(v[k]) for n, v in draws.items()} for k in range(count)]
    some = _sized(likelihood, some, splits, points)
    moments = _moments(likelihood, tuple(each.s for each in some))
    found = []
    for k, values in enumerate(points):
        found.append([_conditional(*pair) for pair in zip(some, moments(values), strict=True)])
        progress((k + 1) / count)
    flat = np.array([np.concatenate(draw, axis=1) for draw in found])
    flat = flat[_sound(flat)]
    return Mixture(flat[:, 0].T, np.sqrt(np.maximum(flat[:, 1].T, LEAST**2)))


def _sound(flat: np.ndarray) -> np.ndarray:
    """Draws whose forecast is a number everywhere; an extreme draw of a prior may have none."""
    sound = np.isfinite(flat).all(axis=(1, 2))
    if sound.mean() < SOUND:
        share = f"{1 - sound.mean():.0%}"
        raise FitError(f"The forecast is no number at {share} of the draws: look at the priors.")
    return sound


def _moments(likelihood: Likelihood, studies: tuple[Summaries, ...]) -> Callable[[Values], Moments]:
    """Compiled: values -> mean and covariance of each study on the fitted scale."""

    @jax.jit
    def made(values: Values) -> Moments:
        found = arms.paths(likelihood.disease, values, likelihood.lanes)
        each = [(s, arms.moments(values, s, found, likelihood.lanes)) for s in studies]
        return [blocks.transformed(s, m, s.n, values["level_sd"]) for s, m in each]

    return made


def _conditional(each: Split, found: tuple[Array, Array]) -> np.ndarray:
    """Mean and variance of the features asked for given those known, shape (2, asked)."""
    mean, covariance = (np.asarray(part) for part in found)
    parts = [
        given(mean[a], covariance[a], each.s.observed[a], each.known[a])[:, each.asked[a]]
        for a in range(len(each.s.arms))
    ]
    return np.concatenate(parts, axis=1)


def given(
    mean: np.ndarray, covariance: np.ndarray, observed: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Mean and variance of every feature of a normal given the known ones, shape (2, F)."""
    own = np.diag(covariance)
    if not known.any():
        return np.array([mean, own])
    between = covariance[:, known]
    weights = np.linalg.solve(covariance[np.ix_(known, known)], between.T)
    centre = mean + weights.T @ (observed[known] - mean[known])
    return np.array([centre, own - np.einsum("fk,kf->f", between, weights)])


def _sized(
    likelihood: Likelihood,
    some: tuple[Split, ...],
    splits: tuple[Split, ...],
    points: Sequence[Values],
) -> tuple[Split, ...]:
    """The splits with predicted shares in place of those that are not known."""
    sampled = [share for each in splits for share in _sampled(each)]
    usual = float(np.mean(sampled)) if sampled else 1.0
    whole = tuple(replace(each.s, **_all_present(each.s)) for each in some)
    here = _presence(likelihood, whole, points)
    return tuple(_with_shares(*pair, usual) for pair in zip(some, here, strict=True))


def _sampled(each: Split) -> list[float]:
    """Shares of patients behind known concentrations."""
    shares = each.s.share_sampled if "CONC" in each.s.columns else np.full(1, np.nan)
    return [float(x) for x in shares.ravel() if np.isfinite(x)]


def _all_present(s: Summaries) -> dict[str, np.ndarray]:
    return {name: np.ones(s.shape[:2]) for name in ("share_seen", "share_sampled")}


def _presence(
    likelihood: Likelihood, studies: tuple[Summaries, ...], points: Sequence[Values]
) -> list[np.ndarray]:
    """The mean share of patients at each visit, by study, arm and visit."""

    @jax.jit
    def one(values: Values) -> list[Array]:
        found = arms.paths(likelihood.disease, values, likelihood.lanes)
        each = [(s, arms.moments(values, s, found, likelihood.lanes).mean) for s in studies]
        return [m[:, s.columns.index("present") :: len(s.columns)] for s, m in each]

    every = [one(values) for values in points[:: max(1, len(points) // 20)]]
    return [np.mean([np.asarray(draw[k]) for draw in every], axis=0) for k in range(len(studies))]


def _with_shares(each: Split, here: np.ndarray, usual: float) -> Split:
    s = each.s
    own = _sampled(each)
    sampled = float(np.mean(own)) if own else usual
    seen = np.where(np.isfinite(s.share_seen), s.share_seen, here)
    measured = np.where(np.isfinite(s.share_sampled), s.share_sampled, sampled)
    return replace(each, s=replace(s, share_seen=seen, share_sampled=measured))
