"""What one visit of one patient contributes: means, slopes in the visit's noise, joint moments.

A visit shows y = S exp(s u - s^2 / 2), u standard normal, S the patient's EASI ratio, s the spread
of `variation.fluctuation` at that visit. For each statistic g(u): `means` are E[g], `hermite` are
E[g He_k(u)], k = 1, 2, 3 (they carry correlation over visits), `joint` is E[g g'] at one visit.
IGA 0/1 is reached when log(EASI0 y) + iga_sd e <= log iga_easi, e standard normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.mechanism.power import log
from pkpd.responses import EASI_THRESHOLDS, RESPONSES
from pkpd.variation.normal import below, both_below, density

ORDERS = (1, 2, 3)
COLUMNS = ("present", "EASI_PCHG", *RESPONSES)


@dataclass(frozen=True)
class Visit:
    """Standardised distances to each threshold; all of shape (arms, visits, patients)."""

    ratio: Array
    noise: Array
    cut: Mapping[str, Array]
    iga: Array
    iga_share: Array

    @property
    def seen(self) -> Array:
        """E[y] of each patient."""
        return self.ratio * jnp.exp(self.noise**2 / 2)


def visit(values: Mapping[str, Array], noise: Array, ratio: Array, easi: Array) -> Visit:
    """The visit of patients with lesions `ratio` and baseline `easi`; `noise` is its spread."""
    ratio = ratio * jnp.exp(-(noise**2) / 2)
    spread = jnp.sqrt(noise**2 + values["iga_sd"] ** 2)
    level = log(ratio)
    cut = {name: (jnp.log(at) - level) / noise for name, at in EASI_THRESHOLDS.items()}
    iga = (jnp.log(values["iga_easi"]) - level - jnp.log(easi)) / spread
    return Visit(ratio, noise, cut, iga, noise / spread)


def means(v: Visit, change: Array) -> Float[Array, "columns arms visits patients"]:
    """E[g] by column; the change is centred on `change` (arms, visits)."""
    off = v.seen - 1.0 - change[..., None]
    shares = [below(v.cut[name]) for name in EASI_THRESHOLDS]
    return jnp.stack([jnp.ones_like(off), off, *shares, below(v.iga)])


def hermite(v: Visit) -> list[Float[Array, "columns arms visits patients"]]:
    """E[g He_k(u)] by column, for k = 1, 2, 3."""
    none = jnp.zeros_like(v.ratio)

    def order(k: int) -> Array:
        shares = [falling(k, v.cut[name]) for name in EASI_THRESHOLDS]
        return jnp.stack([none, v.noise**k * v.seen, *shares, v.iga_share**k * falling(k, v.iga)])

    return [order(k) for k in ORDERS]


def falling(k: int, cut: Array) -> Array:
    """E[1(u <= cut) He_k(u)] = -He_{k-1}(cut) density(cut)."""
    polynomial = {1: 1.0, 2: cut, 3: cut * cut - 1.0}[k]
    return -polynomial * density(cut)


def joint(v: Visit, change: Array) -> list[list[Array]]:
    """E[g g'] at the same visit, as an upper triangle of columns."""
    base = 1.0 + change[..., None]
    cuts = [v.cut[name] for name in EASI_THRESHOLDS]
    whole = means(v, change)
    square = v.ratio**2 * jnp.exp(2 * v.noise**2) - 2 * base * v.seen + base**2
    tilted = [v.seen * below(cut - v.noise) - base * below(cut) for cut in cuts]
    tilted.append(v.seen * below(v.iga - v.iga_share * v.noise) - base * below(v.iga))
    with_iga = [both_below(cut, v.iga, v.iga_share) for cut in cuts]
    rows = [list(whole), [square, *tilted]]
    for k in range(len(cuts)):
        stricter = [below(cut) for cut in cuts[k:]]
        rows.append([*stricter, with_iga[k]])
    rows.append([below(v.iga)])
    return rows
