"""Several parts for each subject, where one normal would miss a law that is bent or has two modes.

A subject of whom the data know some effects well and others hardly has a law like a bent sheet: one
normal covers little of it, and then few points carry all weight. Parts are fitted to weighted
points as normals, by expectation and maximisation, and drawn from as Student's t, whose tails bound
the weights (Cappe 2008, Statistics and Computing 18:447, section 4). How much a point is worth goes
with the number that parts are fitted to: these are solved once, without any slope, so many are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import chdtri, gammaln, logsumexp

from pkpd.points.proposal import Proposal, beside_law, flattened, normals
from pkpd.points.split import Law, normal_log_density
from pkpd.threads import side_by_side

PARTS, STEPS, AGAIN = 4, 12, 6
"""Parts of each subject, and steps of a fit that begins anew or goes on from parts."""

SUBJECTS = 32
"""Subjects whose parts are fitted at once: what a step makes of them stays in the cache."""

OWN = 0.3
"""Covariance of a part that has no points yet, as a share of all points' covariance."""

TAILS = 10
"""Degrees of freedom of the t that is drawn from."""

LAW_SHARE = 32
"""One point of the population's law for so many of the parts; these miss less than one normal."""

LEAST = 1e-3
"""Share of a part, at least."""

Points = Float[np.ndarray, "N K E"]


@dataclass(frozen=True)
class Mixture:
    """Share, mean and covariance of each subject's parts, on the scales of their parameters."""

    share: Float[np.ndarray, "N M"]
    mean: Float[np.ndarray, "N M E"]
    covariance: Float[np.ndarray, "N M E E"]

    def points(self, law: Law, count: int, seed: int) -> tuple[Points, Float[np.ndarray, "N K"]]:
        """`count` points of the parts and `count / LAW_SHARE` of the law; their log-densities."""
        rng, (subjects, _, rows) = np.random.default_rng(seed), self.mean.shape
        drawn, chance = normals((subjects, rows), count, rng, uniform=2)
        return beside_law(law, self.placed(drawn, chance), self.log_density, rng, LAW_SHARE)

    def placed(self, drawn: Points, chance: Float[np.ndarray, "N K 2"]) -> Points:
        """Points of standard normals, and of two numbers from 0 to 1: which part, how far out."""
        turned = np.swapaxes(np.linalg.cholesky(self.covariance), -1, -2)

        def of(some: slice) -> Points:
            which = (chance[some, :, :1] > np.cumsum(self.share[some], axis=1)[:, None, :-1]).sum(2)
            z = drawn[some] * np.sqrt(TAILS / chdtri(TAILS, 1 - chance[some, :, 1:]))
            found = np.empty_like(z)
            for part in range(self.share.shape[1]):
                at = z @ turned[some, part] + self.mean[some, part, None]
                np.copyto(found, at, where=(which == part)[..., None])
            return found

        return by_subjects(of, len(drawn))

    def log_density(self, points: Points) -> Float[np.ndarray, "N K"]:
        """Log-density of all parts together."""

        def of(some: slice) -> Float[np.ndarray, "n K"]:
            return logsumexp(self.only(some).by_part(points[some], t_log_density), axis=-1)

        return by_subjects(of, len(points))

    def only(self, some: slice | Int[np.ndarray, " n"]) -> Mixture:
        """The parts of some subjects."""
        return Mixture(self.share[some], self.mean[some], self.covariance[some])

    def by_part(
        self, points: Points, law: Callable[[np.ndarray], np.ndarray]
    ) -> Float[np.ndarray, "N K M"]:
        """Log of each part's share times its density, `law` the standard one."""
        root = np.linalg.cholesky(self.covariance)
        back = np.swapaxes(np.linalg.inv(root), 2, 3)
        log_det = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)
        parts = range(self.share.shape[1])
        found = [law((points - self.mean[:, [m]]) @ back[:, m]) for m in parts]
        return np.stack(found, axis=-1) + (np.log(self.share) - log_det)[:, None]

    def refitted(
        self, points: Points, weights: Float[np.ndarray, "N K"], whole: Float[np.ndarray, "N E E"]
    ) -> Mixture:
        """A step of the fit; with few points a part stays near a share of the `whole` spread."""
        each = self.by_part(points, normal_log_density)
        belongs = np.exp(each - logsumexp(each, axis=-1, keepdims=True)) * weights[..., None]
        share = np.maximum(belongs.sum(axis=1), 1e-12)
        mean = np.einsum("nkm,nke->nme", belongs, points) / share[..., None]
        found = np.stack(
            [_spread(points, mean[:, m], belongs[..., m]) for m in range(share.shape[1])], 1
        )
        worth = share**2 / np.maximum((belongs**2).sum(axis=1), 1e-300)
        trust = (worth / (worth + points.shape[-1]))[..., None, None]
        covariance = trust * found / share[..., None, None] + (1 - trust) * OWN * whole[:, None]
        mean = np.where(share[..., None] > LEAST, mean, self.mean)
        share = np.maximum(share, LEAST)
        return Mixture(share / share.sum(axis=1, keepdims=True), mean, covariance)


def mixture(
    before: Proposal, points: Points, log_weights: Float[np.ndarray, "N K"],
    parts: Mixture | None = None,
) -> Mixture:  # fmt: skip
    """Parts fitted to weighted points, from those given or along the direction of most spread."""

    def of(some: slice) -> tuple[np.ndarray, ...]:
        own = Proposal(before.mean[some], before.covariance[some])
        found = _fitted(own, points[some], log_weights[some], parts and parts.only(some))
        return found.share, found.mean, found.covariance

    found = side_by_side(of, _slices(len(points)))
    return Mixture(*(np.concatenate(part) for part in zip(*found, strict=True)))


def by_subjects(of: Callable[[slice], np.ndarray], count: int) -> np.ndarray:
    """What `of` makes of some subjects at a time, side by side; in order."""
    return np.concatenate(list(side_by_side(of, _slices(count))))


def _slices(count: int) -> list[slice]:
    return [slice(k, k + SUBJECTS) for k in range(0, count, SUBJECTS)]


def _fitted(
    before: Proposal, points: Points, log_weights: Float[np.ndarray, "N K"], parts: Mixture | None
) -> Mixture:
    (weights, _), (whole, _) = flattened(points, log_weights), before.moved(points, log_weights)
    now = parts or _along(whole, points, weights)
    for _ in range(AGAIN if parts else STEPS):
        now = now.refitted(points, weights, whole.covariance)
    return now


def _along(whole: Proposal, points: Points, weights: Float[np.ndarray, "N K"]) -> Mixture:
    """Equal parts, side by side along the direction in which points spread most."""
    along = np.linalg.eigh(whole.covariance)[1][..., -1:]
    order = np.argsort(((points - whole.mean[:, None]) @ along)[..., 0], axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    wanted = (np.arange(PARTS) + 0.5) / PARTS
    place = (reached[:, None] < wanted[:, None]).sum(axis=-1)
    chosen = np.take_along_axis(order, np.minimum(place, order.shape[1] - 1), axis=1)
    return Mixture(
        np.full(chosen.shape, 1 / PARTS),
        np.take_along_axis(points, chosen[..., None], axis=1),
        np.repeat(OWN * whole.covariance[:, None], PARTS, axis=1),
    )


def t_log_density(z: Float[np.ndarray, "... E"]) -> Float[np.ndarray, "..."]:
    """Log-density of Student's t of `TAILS` degrees of freedom, in all directions together."""
    rows = z.shape[-1]
    scale = gammaln((TAILS + rows) / 2) - gammaln(TAILS / 2) - rows / 2 * np.log(TAILS * np.pi)
    return scale - (TAILS + rows) / 2 * np.log1p((z**2).sum(axis=-1) / TAILS)


def _spread(
    points: Points, mean: Float[np.ndarray, "N E"], weights: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "N E E"]:
    """Summed weighted squares about a mean."""
    away = points - mean[:, None]
    return np.swapaxes(away * weights[..., None], 1, 2) @ away
