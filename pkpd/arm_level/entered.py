"""Moments of a study whose patients are responders of another, re-randomised.

Patients keep the trajectory they have; each is weighted by the probability of having entered.
With A the entry indicator at the selection visit, k the covariance of a patient's log EASI over
visits (`variation.fluctuation`) and c_t that of visit t with the selection visit's standardised
noise, tilting gives exactly

    E[A y_t]      = S_t a(c_t)
    E[A y_t y_t'] = S_t S_t' exp(k_tt') a(c_t + c_t'),

a(shift) the probability of entry with the noise centred at `shift`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import endpoints, selection
from pkpd.arm_level.blocks import Moments
from pkpd.arm_level.summaries import Summaries
from pkpd.variation import fluctuation

Patients = Float[Array, "A T N"]
COLUMNS = ("present", "EASI_PCHG", "CONC")


def moments(
    values: Mapping[str, Array],
    s: Summaries,
    ratio: Patients,
    stay: Patients,
    level: Patients,
    easi: Float[Array, "A N"],
) -> Moments:
    """Means and covariance; the first visit is the selection visit."""
    noise = fluctuation.spread(values, s.weeks)
    clear = {**values, "iga_easi": values["iga_easi"][..., 0]}
    v = endpoints.visit(clear, noise[0], ratio[:, 0], easi)
    enter = selection.entering(values, v)
    total = (stay[:, 0] * enter).mean(axis=-1)[:, None]
    here = stay / (stay[:, :1] * total[..., None])
    weight = stay[:, 0] * enter
    tilt = fluctuation.alike(values, s.weeks)[0] * noise
    tilted = selection.entering(values, _visits(v), tilt[None, :, None])
    first = stay[:, :1] * here * ratio * tilted
    seen = jnp.where(np.arange(len(s.weeks)) == 0, 1.0, 1 - values["missed"])
    present = (weight[:, None] * here).mean(axis=-1)
    change = first.mean(axis=-1) / present - 1.0
    exposure = (weight[:, None] * here * level).mean(axis=-1) / present
    base = {
        "change": change,
        "exposure": exposure,
        "present": present,
        "tilt": tilt,
        "seen": seen,
        "weight": weight,
        "here": here,
        "enter": enter,
        "tilted": tilted,
    }
    second = _second(values, s, v, ratio, stay, level, base, total)
    arms = len(s.arms)
    expected = jnp.stack([seen * present, jnp.zeros_like(change), jnp.zeros_like(change)], axis=-1)
    flat = expected.reshape(arms, -1)
    covariance = (second - flat[:, :, None] * flat[:, None, :]) / s.n[:, None, None]
    posted = jnp.stack([seen * present, change, exposure], axis=-1).reshape(arms, -1)
    return Moments(posted, covariance)


def _visits(v: endpoints.Visit) -> endpoints.Visit:
    """The selection visit with an axis for other visits."""
    wide = {name: cut[:, None] for name, cut in v.cut.items()}
    return endpoints.Visit(v.ratio[:, None], v.noise, wide, v.iga[:, None], v.iga_share)


def _second(
    values: Mapping[str, Array],
    s: Summaries,
    v: endpoints.Visit,
    ratio: Array,
    stay: Array,
    level: Array,
    base: Mapping[str, Array],
    total: Array,
) -> Float[Array, "A F F"]:
    """E[f f'] among the entered, f = (present, change, concentration) by visit."""
    first, last = (np.eye(len(s.weeks))[k] for k in np.triu_indices(len(s.weeks)))

    def early(x: Array) -> Array:
        return jnp.einsum("pt,at...->ap...", first, x)

    def late(x: Array) -> Array:
        return jnp.einsum("pt,at...->ap...", last, x)

    tilt = (first + last) @ base["tilt"]
    both = selection.entering(values, _visits(v), tilt[None, :, None])
    spread = jnp.einsum("pt,tu,pu->p", first, fluctuation.covariance(values, s.weeks), last)
    yy = early(ratio) * late(ratio) * jnp.exp(spread)[None, :, None] * both
    a = base["enter"][:, None]
    c = 1.0 + base["change"][..., None]
    y = ratio * base["tilted"]
    alone, off = y - c * a, level - base["exposure"][..., None]
    alone_early, alone_late, off_early, off_late = early(alone), late(alone), early(off), late(off)
    change = yy - late(c) * early(y) - early(c) * late(y) + early(c) * late(c) * a
    pair = late(stay) / total[..., None]
    cells = {
        (0, 0): a + jnp.zeros_like(yy),
        (0, 1): alone_late,
        (1, 0): alone_early,
        (0, 2): a * off_late,
        (2, 0): a * off_early,
        (1, 1): change,
        (1, 2): alone_early * off_late,
        (2, 1): off_early * alone_late,
        (2, 2): a * off_early * off_late,
    }
    mean = {key: (pair * cell).mean(axis=-1) for key, cell in cells.items()}
    upper = jnp.stack(
        [jnp.stack([mean[j, k] for k in range(3)], axis=-1) for j in range(3)], axis=-2
    )
    apart = (first != last).any(axis=1).astype(float)
    table = jnp.einsum("apjk,pt,pu->atujk", upper, first, last)
    table = table + jnp.einsum("apjk,p,pt,pu->autkj", upper, apart, first, last)
    return _weighted(values, s, table, level, base)


def _weighted(
    values: Mapping[str, Array],
    s: Summaries,
    table: Float[Array, "A T T K K"],
    level: Array,
    base: Mapping[str, Array],
) -> Float[Array, "A F F"]:
    """Missed visits, the share behind each mean, assay error; then visits by columns."""
    visits = len(s.weeks)
    seen = base["seen"]
    taken = seen[:, None] * seen[None, :] * (1 - jnp.eye(visits)) + jnp.diag(seen)
    table = table * taken[None, :, :, None, None]
    here = seen * base["present"]
    scale = jnp.stack([jnp.ones_like(here), 1 / jnp.asarray(s.share_seen), 1 / here], axis=-1)
    table = table * scale[:, :, None, :, None] * scale[:, None, :, None, :]
    weighed = base["weight"][:, None] * base["here"]
    spread = (weighed * (level - base["exposure"][..., None]) ** 2).mean(axis=-1)
    assay = (weighed * (jnp.asarray(s.residual)[:, None, None] * level) ** 2).mean(axis=-1)
    sampled = jnp.minimum(jnp.asarray(s.share_sampled), here)
    extra = ((spread + assay) / sampled - spread / here) / base["present"]
    corner = np.zeros((3, 3))
    corner[2, 2] = 1.0
    own = jnp.eye(visits)[None, :, :, None, None] * extra[:, :, None, None, None] * corner
    arms = table.shape[0]
    return (table + own).transpose(0, 1, 3, 2, 4).reshape(arms, visits * 3, visits * 3)
