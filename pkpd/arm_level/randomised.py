"""Moments of a study's arms as they were randomised."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level import blocks, endpoints, selection
from pkpd.arm_level.blocks import Moments
from pkpd.arm_level.summaries import Summaries
from pkpd.variation import fluctuation

Patients = Float[Array, "A T N"]


def moments(
    values: Mapping[str, Array],
    s: Summaries,
    ratio: Patients,
    stay: Patients,
    level: Patients,
    easi: Float[Array, "A N"],
) -> Moments:
    """Means and covariance of every feature; `stay` are probabilities, `level` mg/L."""
    seen = 1 - values["missed"]
    noise = fluctuation.spread(values, s.weeks)[:, None]
    v = endpoints.visit(values, noise, ratio, easi[:, None, :])
    present = stay.mean(axis=-1)
    change = (stay * (v.seen - 1)).mean(axis=-1) / present
    exposure = (stay * level).mean(axis=-1) / present
    scale = _scales(s, seen * present)
    parts, joint = _columns(values, s, v, change, level - exposure[..., None])
    joint = [[(stay * cell).mean(axis=-1) for cell in row] for row in joint]
    block = seen * jnp.stack([jnp.stack(row, axis=-1) for row in joint], axis=-2)
    block = block * scale[..., :, None] * scale[..., None, :]
    block = block + _sampling(s, values, stay, level, exposure, present)
    expected = seen * jnp.stack([(stay * column).mean(axis=-1) for column in parts[0]], axis=-1)
    return _assemble(values, s, (parts, stay), scale, block, expected, change, exposure)


def _scales(s: Summaries, here: Array) -> Float[Array, "A T K"]:
    """Weights that turn sums over patients into the posted statistics."""
    weight = {"EASI_PCHG": 1 / jnp.asarray(s.share_seen), "CONC": 1 / here}
    return jnp.stack([weight.get(name, jnp.ones_like(here)) for name in s.columns], axis=-1)


def _columns(
    values: Mapping[str, Array], s: Summaries, v: endpoints.Visit, change: Array, off: Array
) -> tuple[list[list[Array]], list[list[Array]]]:
    """Hermite coefficients of order 0 to 3, and same-visit moments, by the study's columns."""
    mean = list(endpoints.means(v, change))
    higher = [list(order) for order in endpoints.hermite(v)]
    table = endpoints.joint(v, change)
    if "ENTRY" in s.columns:
        entry = selection.entry_joint(values, v, change)
        table = [[*row, cell] for row, cell in zip(table, entry[:-1], strict=True)]
        table.append([entry[-1]])
        mean.append(entry[-1])
        none = jnp.zeros_like(entry[-1])
        for order, extra in zip(
            higher, [selection.entry_slope(values, v), none, none], strict=True
        ):
            order.append(extra)
    if "CONC" in s.columns:
        table = [[*row, column * off] for row, column in zip(table, mean, strict=True)]
        table.append([off * off])
        mean.append(off)
        for order in higher:
            order.append(jnp.zeros_like(off))
    return [mean, *higher], blocks.symmetric(table)


def _sampling(
    s: Summaries,
    values: Mapping[str, Array],
    stay: Array,
    level: Array,
    exposure: Array,
    present: Array,
) -> Float[Array, "A T K K"] | float:
    """Extra variance of mean concentrations: assay error, and only some patients sampled."""
    if "CONC" not in s.columns:
        return 0.0
    assay = jnp.asarray(s.residual)[:, None, None]
    spread = (stay * (level - exposure[..., None]) ** 2).mean(axis=-1) / present
    noise = (stay * (assay * level) ** 2).mean(axis=-1) / present
    here = (1 - values["missed"]) * present
    sampled = jnp.minimum(jnp.asarray(s.share_sampled), here)
    extra = (spread + noise) / sampled - spread / here
    corner = np.zeros((len(s.columns), len(s.columns)))
    corner[s.columns.index("CONC"), s.columns.index("CONC")] = 1.0
    return extra[..., None, None] * corner


def _assemble(
    values: Mapping[str, Array],
    s: Summaries,
    parts: tuple,
    scale: Array,
    block: Array,
    expected: Array,
    change: Array,
    exposure: Array,
) -> Moments:
    """Put the visits together in time order and take the products of means off."""
    orders, stay = parts
    arms, visits, columns = s.shape
    flat = (arms, visits * columns, -1)
    terms = [(jnp.stack(order, axis=2) * scale[..., None]).reshape(flat) for order in orders]
    w = jnp.repeat(stay, columns, axis=1)
    alike = jnp.repeat(jnp.repeat(fluctuation.alike(values, s.weeks), columns, 0), columns, 1)
    whole = (1 - values["missed"]) ** 2 * blocks.across_visits(terms, w, alike)
    own = np.kron(np.eye(visits), np.ones((columns, columns)))
    second = jnp.where(own > 0, blocks.same_visit(block), whole)
    first = (expected * scale).reshape(arms, -1)
    covariance = (second - first[:, :, None] * first[:, None, :]) / s.n[:, None, None]
    shown = {"EASI_PCHG": change, "CONC": exposure}
    posted = jnp.stack(
        [shown.get(name, expected[..., k]) for k, name in enumerate(s.columns)], axis=-1
    )
    return Moments(posted.reshape(arms, -1), covariance)
