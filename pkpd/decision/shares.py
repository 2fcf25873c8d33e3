"""The share of responders who still respond, in closed form: patients' luck integrated out.

With a, b the standardised distances of log EASI to the threshold at selection and at a later visit
and r their correlation (`variation.fluctuation`), a virtual patient responds at both with
probability Phi2(a, b; r); s and t are the probabilities of still being in the trial, m the share
of visits missed. Sums run over virtual patients:

    hypothetical        sum s Phi2 / sum s Phi(a)             (had nobody left or missed a visit)
    NRI                 (1 - m) sum t Phi2 / sum s Phi(a)     (who is not there: a failure)
    observed            sum t Phi2 / sum t Phi(a)             (among those who came)
    while-on-treatment  sum A / sum s Phi(a)                  (as the last visit they came to was)
    treatment-policy    (sum s Phi2 + M D) / sum s Phi(a)     (who left: seen all the same)

M = sum (s - t) Phi(a) have left by then, and D is the mean of what that changes, Phi2' - Phi2, with
Phi2' after leaving in the patient's week and weights w s Phi(a) (`prediction.leaving`), over those
who are followed after it: all, or the first of them.

A is the probability of having responded at selection and at the last visit come to up to then. With
c = Phi2 at each visit k (Phi(a) at selection), and B the same had nobody left,

    B_0 = c_0      B_k = m B_(k-1) + (1 - m) c_k
    A_0 = s c_0    A_k = A_(k-1) + (1 - m) t_k (c_k - B_(k-1))

since who comes to visit k (in the trial with probability t_k, whatever the visits showed) shows c_k
there in place of what they showed before. It depends on which visits there are, the others on none
but selection and the visit itself.

`prediction.kept` draws the same patients one by one; here nothing is left to luck, so a share is
as exact as the virtual patients are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import endpoints
from pkpd.arm_level.endpoints import Visit
from pkpd.arm_level.trajectories import effect
from pkpd.prediction.estimands import ON_TREATMENT, POLICY
from pkpd.responses import IGA
from pkpd.variation import fluctuation
from pkpd.variation.normal import below, both_below


@dataclass(frozen=True)
class Followed:
    """One draw's virtual patients at the visits: selection first, then the visits after it.

    `ratio` is EASI over baseline, `stay` the probability of still being in the trial, both of
    shape (visits, regimens, patients); `easi` baselines (patients). `left`, where it was asked for,
    is EASI over baseline of those who left in their week, and how likely that was by each visit;
    it may be of the first patients alone.
    """

    ratio: Array
    stay: Array
    easi: Array
    left: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Responding:
    """P(responds at selection), (patients), P(there and at each later visit), by patient.

    `after` is the latter for those who left in their week, with `weight` how likely that was; they
    may be the first patients alone.
    """

    first: Float[Array, " patients"]
    both: Float[Array, "later regimens patients"]
    after: Float[Array, "later regimens some"] | None = None
    weight: Float[Array, "later regimens some"] | None = None


def shares(
    missed: Array,
    stay: Float[Array, "visits regimens patients"],
    found: Responding,
    groups: Float[np.ndarray | Array, "groups patients"],
    estimand: str,
) -> tuple[Float[Array, "groups regimens visits"], Float[Array, " groups"]]:
    """Share of the selected who respond at each visit, and the share selected, by group.

    `stay` is as in `Followed`, `groups` weighs the patients of each group. Selected are those who
    respond at the first visit, in the trial and there, as the first regimen has it.
    """
    first, weigh, begun = found.first, jnp.asarray(groups), stay[0, 0]
    chosen = weigh @ (begun * first)
    there, among = counted(missed, stay, first, found.both, estimand), chosen[:, None, None]
    total = jnp.einsum("gn,trn->grt", weigh, there)
    if estimand == "observed":
        among = jnp.einsum("gn,trn->grt", weigh, (1 - missed) * stay[1:] * first)
    elif estimand == POLICY:
        total = total + changed(stay, found, weigh)
    later = total / among
    whole = jnp.concatenate([jnp.ones_like(later[..., :1]), later], axis=-1)
    return whole, (1 - missed) * chosen / weigh.sum(axis=-1)


def changed(
    stay: Array, found: Responding, weigh: Float[Array, "groups patients"]
) -> Float[Array, "groups regimens later"]:
    """What leaving the drug changes in the weight of those who respond, by group.

    Raises
    ------
    ValueError
        If those who leave were not followed.
    """
    if found.after is None or found.weight is None:
        raise ValueError(
            "treatment-policy needs those who leave to be followed: plan(leaving=True)"
        )
    begun, first = stay[0, 0], found.first
    gone = jnp.einsum("gn,trn->grt", weigh, first * (begun - stay[1:]))
    n = found.after.shape[-1]
    likely = found.weight * (begun * first)[:n]
    total = jnp.einsum("gn,trn->grt", weigh[:, :n], likely)
    moved = found.weight * begun[:n] * (found.after - found.both[..., :n])
    moved = jnp.einsum("gn,trn->grt", weigh[:, :n], moved)
    return gone * moved / jnp.where(total > 0, total, 1.0)


def counted(
    missed: Array, stay: Array, first: Array, both: Array, estimand: str
) -> Float[Array, "later regimens patients"]:
    """By patient, P(selected, and counted as responding at each later visit) under an estimand."""
    begun = stay[0, 0]
    if estimand in ("hypothetical", POLICY):
        return begun * both
    if estimand != ON_TREATMENT:
        return (1 - missed) * stay[1:] * both
    start = jnp.broadcast_to(first, both.shape[1:])
    before = jax.lax.scan(lambda b, c: (missed * b + (1 - missed) * c, b), start, both)[1]
    return begun * first + jnp.cumsum((1 - missed) * stay[1:] * (both - before), axis=0)


def responding(
    values: Mapping[str, Array],
    followed: Followed,
    weeks: Float[np.ndarray, " visits"],
    *,
    endpoint: str,
    trial: Array | int,
) -> Responding:
    """How likely each patient responds at selection and later; `trial` has the IGA threshold."""
    first, both = _responding(values, followed, weeks, endpoint, trial)
    if followed.left is None:
        return Responding(first, both)
    ratio, weight = followed.left
    gone = replace(followed, ratio=ratio, easi=followed.easi[: ratio.shape[-1]])
    after = _responding(values, gone, weeks, endpoint, trial)[1]
    return Responding(first, both, after, weight[1:])


def _responding(
    values: Mapping[str, Array],
    followed: Followed,
    weeks: Float[np.ndarray, " visits"],
    endpoint: str,
    trial: Array | int,
) -> tuple[Array, Array]:
    """P(responds at selection), and P(at selection and at each later visit), by patient."""
    noise = fluctuation.spread(values, weeks)[:, None, None]
    alike = fluctuation.alike(values, weeks)[0][:, None, None]
    clear = values["iga_easi"] * jnp.exp(effect(values, "iga_easi")[trial])
    there = endpoints.visit({**values, "iga_easi": clear}, noise, followed.ratio, followed.easi)
    cut = there.iga if endpoint == IGA else there.cut[endpoint]
    correlation = alike * _shared(there) if endpoint == IGA else alike
    first = cut[0, 0]
    return below(first), both_below(first, cut[1:], correlation[1:])


def _shared(there: Visit) -> Array:
    """Correlation of two visits' IGA scores over that of their log EASI: each has its own noise."""
    return there.iga_share[:1] * there.iga_share
