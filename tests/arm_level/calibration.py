"""Scores of simulated data at the truth: whether the likelihood is as sure as it may be.

Of a right likelihood the score (its gradient at the truth, here in standardised coordinates) has
mean 0 over data sets, and its covariance is the information. A ratio of score variance to
information above 1 says that posteriors are too narrow. With m the expected features of an arm, C
their covariance, r = y - m and w = C^-1 r,

    score       = m' ^T w  +  (w^T C' w - tr C^-1 C') / 2
    information = m' ^T C^-1 m'  +  tr (C^-1 C' C^-1 C') / 2,

a part through the means and a part through the covariance. Derivatives are taken once, so that
each data set costs a few products.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import numpy as np
from small_fit import quick_compile

from pkpd.arm_level import arms, blocks
from pkpd.prediction.posted import RESERVE, courses, simulated
from pkpd.prediction.statistics import on_fitted_scale
from pkpd.variation import standard

CHUNK = 100
TRUTH = {  # drugs work, patients differ
    "gamma": 1.5, "gamma_between": 0.5, "gamma_trial_sd": 0.15, "ks_between": 0.5,
    "placebo_between": 0.8, "placebo_trial_sd": 0.15, "kp_trial_sd": 0.2, "ec50_between": 0.4,
    "dropout": 0.5, "leakage": 0.2, "flare_sd": 0.4,
}  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Scores (data sets, parameters) and information, each through means and covariance."""

    of_means: np.ndarray
    of_covariance: np.ndarray
    by_means: np.ndarray
    by_covariance: np.ndarray

    def __add__(self, other):
        return Scores(
            self.of_means + other.of_means,
            self.of_covariance + other.of_covariance,
            self.by_means + other.by_means,
            self.by_covariance + other.by_covariance,
        )

    def __neg__(self):
        return Scores(-self.of_means, -self.of_covariance, -self.by_means, -self.by_covariance)

    @property
    def whole(self):
        return self.of_means + self.of_covariance

    @property
    def information(self):
        return self.by_means + self.by_covariance

    def directions(self, least):
        """Orthogonal directions with at least that much information; a prior has about 1."""
        values, vectors = np.linalg.eigh(self.information)
        return vectors[:, values > least][:, ::-1]


def ratios(score, information, directions):
    """Variance of the score over the information along each direction."""
    claimed = np.einsum("pd,pq,qd->d", directions, information, directions)
    return (score @ directions).var(axis=0) / claimed


def truth(space):
    """Flat vector of a sensible truth, in standardised coordinates."""
    values = {name: np.asarray(value) for name, value in space.unpack(space.medians()).items()}
    values |= {name: np.full(values[name].shape, value) for name, value in TRUTH.items()}
    return np.asarray(standard.to_standard(space, space.pack(values)))


def data_sets(likelihood, z, count, seed):
    """Observed features and share seen of every study, `count` of each: as `predict.posted` does.

    Patients are drawn from the likelihood's own virtual patients.
    """
    space, studies = likelihood.space, likelihood.studies
    values = {n: np.asarray(v) for n, v in space.unpack(standard.to_natural(space, z)).items()}
    found = courses(likelihood, {name: value[None] for name, value in values.items()})
    random = np.random.default_rng(seed)
    parts = [
        simulated(likelihood, values, found, random, replicates=size, reserve=RESERVE)
        for size in [CHUNK] * (count // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
    ]
    observed, seen = [], []
    for k, s in enumerate(studies):
        natural = np.concatenate([part[k] for part in parts])
        observed.append(on_fitted_scale(s, natural))
        there = natural[:, :, s.columns.index("present") :: len(s.columns)]
        seen.append(np.clip(there, 1 / s.n[:, None], 1.0))
    return observed, seen


def usual(likelihood, seen):
    """The likelihood with the mean share behind each statistic of simulated data."""
    pairs = zip(likelihood.studies, seen, strict=True)
    return replace(
        likelihood, studies=tuple(replace(s, share_seen=part.mean(axis=0)) for s, part in pairs)
    )


def slopes(likelihood, z):
    """Expected features and covariance of each study at z, and their derivatives, last axis z."""

    def moments(z):
        values = likelihood.space.unpack(standard.to_natural(likelihood.space, z))
        found = arms.paths(likelihood.disease, values, likelihood.lanes)
        return [
            blocks.transformed(
                s, arms.moments(values, s, found, likelihood.lanes), s.n, values["level_sd"]
            )
            for s in likelihood.studies
        ]

    with quick_compile():
        push = jax.jit(lambda z, way: jax.jvp(moments, (z,), (way,))).lower(z, z).compile()
    pushed = [push(z, way) for way in np.eye(z.size)]
    here = [tuple(np.asarray(part) for part in study) for study in pushed[0][0]]
    moved = [
        tuple(np.stack([np.asarray(one[1][k][j]) for one in pushed], axis=-1) for j in range(2))
        for k in range(len(here))
    ]
    return here, moved


def scores(likelihood, z, count, seed):
    """Scores and information of simulated data, added over all arms."""
    observed, seen = data_sets(likelihood, z, count, seed)
    made = usual(likelihood, seen)
    here, moved = slopes(made, z)
    total = None
    for k, s in enumerate(made.studies):
        width = len(s.columns)
        change = np.tile(s.columns, len(s.weeks)) == "EASI_PCHG"
        scale = np.where(change, np.repeat(s.share_seen / seen[k], width, axis=-1), 1.0)
        for a in range(len(s.arms)):

            def term(some, k=k, a=a, scale=scale):
                off = (observed[k][:, a] - here[k][0][a])[:, some]
                square = np.ix_(some, some)
                return normal_score(
                    off, here[k][1][a][square], moved[k][0][a][some], moved[k][1][a][square],
                    scale[:, a][:, some],
                )  # fmt: skip

            posted = np.flatnonzero(s.posted[a])
            own = term(posted)
            if s.entered:
                own = own + -term(posted[posted < width])
            total = own if total is None else total + own
    return total


def normal_score(off, covariance, mean_slope, covariance_slope, scale):
    """Scores of residuals `off` (sets, f) whose covariance is scale C scale."""
    size = mean_slope.shape[-1]
    inverse = np.linalg.inv(covariance)
    w = (off / scale) @ inverse
    turned = np.tensordot(inverse, covariance_slope, axes=1)
    trace = np.einsum("ffp->p", turned)
    outer = (w[:, :, None] * w[:, None, :]).reshape(len(w), -1)
    pairs = turned.reshape(-1, size), turned.transpose(1, 0, 2).reshape(-1, size)
    return Scores(
        of_means=(w / scale) @ mean_slope,
        of_covariance=(outer @ covariance_slope.reshape(-1, size) - trace) / 2,
        by_means=mean_slope.T @ inverse @ mean_slope,
        by_covariance=pairs[0].T @ pairs[1] / 2,
    )
