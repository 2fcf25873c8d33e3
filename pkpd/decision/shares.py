"""The share of responders who still respond, in closed form: patients' luck integrated out.

With a, b the standardised distances of log EASI to the threshold at selection and at a later visit
and r their correlation (`variation.fluctuation`), a virtual patient responds at both with
probability Phi2(a, b; r); s and t are the probabilities of still being in the trial, m the share
of visits missed. Sums run over virtual patients:

    hypothetical  sum s Phi2 / sum s Phi(a)                 (had nobody left or missed a visit)
    NRI           (1 - m) sum t Phi2 / sum s Phi(a)         (who is not there counts as a failure)
    observed      sum t Phi2 / sum t Phi(a)                 (among those who came)

`prediction.kept` draws the same patients one by one; here nothing is left to luck, so a share is
as exact as the virtual patients are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import endpoints
from pkpd.arm_level.endpoints import Visit
from pkpd.arm_level.trajectories import effect
from pkpd.responses import IGA
from pkpd.variation import fluctuation
from pkpd.variation.normal import below, both_below_along


@dataclass(frozen=True)
class Followed:
    """One draw's virtual patients at the visits: selection first, then the visits after it.

    `ratio` is EASI over baseline, `stay` the probability of still being in the trial, both of
    shape (visits, regimens, patients); `easi` baselines (patients).
    """

    ratio: Array
    stay: Array
    easi: Array


def shares(
    values: Mapping[str, Array],
    followed: Followed,
    weeks: Float[np.ndarray, " visits"],
    groups: Float[np.ndarray, "groups patients"],
    *,
    endpoint: str,
    estimand: str,
    trial: int,
) -> tuple[Float[Array, "groups regimens visits"], Float[Array, " groups"]]:
    """Share of the selected who respond at each visit, and the share selected, by group.

    `groups` weighs the patients of each group. Selected are those who respond at the first visit,
    in the trial and there, as the first regimen has it. `trial` is whose IGA threshold holds.
    """
    first, both = responding(values, followed, weeks, endpoint=endpoint, trial=trial)
    begun, stay = followed.stay[0, 0], followed.stay[1:]
    weigh, coming = jnp.asarray(groups), 1 - values["missed"]
    chosen = weigh @ (begun * first)
    if estimand == "hypothetical":
        there, among = begun * both, chosen[:, None, None]
    elif estimand == "NRI":
        there, among = coming * stay * both, chosen[:, None, None]
    else:
        there = stay * both
        among = jnp.einsum("gn,trn->grt", weigh, stay * first)
    later = jnp.einsum("gn,trn->grt", weigh, there) / among
    whole = jnp.concatenate([jnp.ones_like(later[..., :1]), later], axis=-1)
    return whole, coming * chosen / weigh.sum(axis=-1)


def responding(
    values: Mapping[str, Array],
    followed: Followed,
    weeks: Float[np.ndarray, " visits"],
    *,
    endpoint: str,
    trial: int,
) -> tuple[Float[Array, " patients"], Float[Array, "later regimens patients"]]:
    """P(responds at selection), and P(at selection and at each later visit), by patient."""
    noise = fluctuation.spread(values, weeks)[:, None, None]
    alike = fluctuation.alike(values, weeks)[0][:, None, None]
    clear = values["iga_easi"] * jnp.exp(effect(values, "iga_easi")[trial])
    there = endpoints.visit({**values, "iga_easi": clear}, noise, followed.ratio, followed.easi)
    cut = there.iga if endpoint == IGA else there.cut[endpoint]
    correlation = alike * _shared(there) if endpoint == IGA else alike
    first = cut[0, 0]
    return below(first), both_below_along(first, cut[1:], correlation[1:])


def _shared(there: Visit) -> Array:
    """Correlation of two visits' IGA scores over that of their log EASI: each has its own noise."""
    return there.iga_share[:1] * there.iga_share
