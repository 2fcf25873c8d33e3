"""Explicit patients: what each visit of each patient shows, from fixed random numbers.

log y(t) = log S(t) + f(t) + v(t) - var / 2 (see `variation.fluctuation`), v and f built from fixed
standard normals. IGA 0/1 is reached when log(EASI0 y) + iga_sd e <= log iga_easi (the trial's). A
patient is in the trial while `leaving` < stay(t), stay the survival probability, and comes to a
visit when `coming` >= missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pkpd.responses import EASI_THRESHOLDS, IGA


@dataclass(frozen=True)
class Luck:
    """The random numbers of patients (last axis) at visits (the axis before), fixed beforehand.

    `visit`, `flare`, `iga` are standard normals; `coming` uniforms by visit; `leaving`, `leaking`
    uniforms by patient. Leading axes, if any, are replicates.
    """

    visit: Float[np.ndarray, "... T n"]
    flare: Float[np.ndarray, "... T n"]
    iga: Float[np.ndarray, "... T n"]
    coming: Float[np.ndarray, "... T n"]
    leaving: Float[np.ndarray, "... n"]
    leaking: Float[np.ndarray, "... n"]


def luck(random: np.random.Generator, visits: int, shape: tuple[int, ...]) -> Luck:
    """Numbers of patients of shape (..., n), at so many visits."""
    wide = (*shape[:-1], visits, shape[-1])
    return Luck(
        visit=random.standard_normal(wide),
        flare=random.standard_normal(wide),
        iga=random.standard_normal(wide),
        coming=random.random(wide),
        leaving=random.random(shape),
        leaking=random.random(shape),
    )


@dataclass(frozen=True)
class Shown:
    """What visits show, shape (..., visits, patients), were the patient there to be seen.

    `staying`: still in the trial; `present`: in the trial and at the visit.
    """

    seen: Float[np.ndarray, "... T n"]
    response: Mapping[str, Bool[np.ndarray, "... T n"]]
    staying: Bool[np.ndarray, "... T n"]
    present: Bool[np.ndarray, "... T n"]


def wide(values: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A scalar variable, or one value a replicate, with axes for visits and patients."""
    return np.asarray(values[name])[..., None, None]


def wandering(
    values: Mapping[str, np.ndarray], chance: Luck, weeks: np.ndarray
) -> Float[np.ndarray, "... T n"]:
    """log y - log S at `weeks`: visit noise and flares, right on average.

    Both by recursion from normals z: x_k = r x_(k-1) + sd sqrt(1 - r^2) z_k,
    r = exp(-(t_k - t_(k-1)) / memory); visit noise is stationary, flares start at 0 at week 0.
    """
    visit, flare = wide(values, "visit_sd"), wide(values, "flare_sd")
    slow = wide(values, "flare_memory")
    gaps = np.diff(weeks)
    near = _path(visit * chance.visit, wide(values, "visit_memory"), np.append(np.inf, gaps))
    far = _path(flare * chance.flare, slow, np.append(weeks[:1], gaps))
    grown = 1 - np.exp(-2 * np.asarray(weeks)[:, None] / slow)
    return near + far - (visit**2 + flare**2 * grown) / 2


def _path(steps: np.ndarray, memory: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    alike = np.exp(-gaps[:, None] / memory)
    path = np.sqrt(1 - alike**2) * steps
    for k in range(1, len(gaps)):
        path[..., k, :] += alike[..., k, :] * path[..., k - 1, :]
    return path


def clear_below(values: Mapping[str, np.ndarray], trial: int) -> np.ndarray:
    """EASI at which half a trial's patients are IGA 0/1, with axes for visits and patients."""
    effect = np.asarray(values["iga_easi_trial"])[..., trial, None, None]
    return wide(values, "iga_easi") * np.exp(wide(values, "iga_easi_trial_sd") * effect)


def shown(
    values: Mapping[str, np.ndarray],
    *,
    ratio: np.ndarray,
    stay: np.ndarray,
    easi: np.ndarray,
    drift: np.ndarray,
    chance: Luck,
    trial: int,
) -> Shown:
    """Visits of patients with lesions `ratio`, stay probability and baseline `easi`.

    `drift` is from `wandering`; `trial` whose IGA threshold holds.
    """
    log_seen = np.log(ratio) + drift
    response = {name: log_seen <= np.log(at) for name, at in EASI_THRESHOLDS.items()}
    score = log_seen + np.log(easi)[..., None, :] + wide(values, "iga_sd") * chance.iga
    response[IGA] = score <= np.log(clear_below(values, trial))
    staying = chance.leaving[..., None, :] < stay
    present = staying & (chance.coming >= wide(values, "missed"))
    return Shown(np.exp(log_seen), response, staying, present)


def entering(values: Mapping[str, np.ndarray], visit: Shown, at: int, chance: Luck) -> np.ndarray:
    """Who is re-randomised at visit `at`: EASI-75 or IGA 0/1 and, by leakage, EASI-50 alone."""
    some = {name: response[..., at, :] for name, response in visit.response.items()}
    leaks = chance.leaking < wide(values, "leakage")[..., 0]
    responder = some["EASI75"] | some[IGA] | (leaks & some["EASI50"])
    return visit.present[..., at, :] & responder
