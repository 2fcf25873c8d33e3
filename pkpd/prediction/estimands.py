"""Estimands: what counts for patients who leave or miss visits (ICH E9(R1)), patient by patient.

The intercurrent event is leaving: the regimen ends, and so do the visits. Of N patients at a
visit, P came (in the trial, and there), and v is what each would show:

    hypothetical        sum v / N              had nobody left or missed a visit
    treatment-policy    sum v + sum_L (v' - v) over N: those L who left by then are seen all the
                                               same, v' of them, without the doses after leaving
    NRI                 sum v P / N            composite: who is not there counts as a failure
    observed            sum v P / sum P        among those who came: no strategy of ICH E9(R1)
    while-on-treatment  sum v* / N             v*: v at the last visit, up to this one, that the
                                               patient came to before leaving

Whoever left keeps, at every later visit, what their last visit showed; a missed visit is passed
over in the same way. The first visit is the last resort: selection, or week 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

NRI, ON_TREATMENT, POLICY = "NRI", "while-on-treatment", "treatment-policy"
COUNTED = ("observed", NRI, "hypothetical", ON_TREATMENT)
"""Estimands that follow from the visits of those who were not taken off the drug."""
ESTIMANDS = (*COUNTED, POLICY)


@dataclass(frozen=True)
class Outcome:
    """What is followed: responders of an endpoint, under an estimand."""

    endpoint: str
    estimand: str


def averaged(
    value: Shaped[np.ndarray, "... visits patients"],
    present: Bool[np.ndarray, "... visits patients"],
    estimand: str,
) -> Float[np.ndarray, "... visits"]:
    """The mean over patients at every visit; NaN where nobody is averaged over."""
    count = np.full(present.shape[:-1], present.shape[-1])
    if estimand == ON_TREATMENT:
        value = on_treatment(value, present)
    elif estimand != "hypothetical":
        value = np.where(present, value, 0)
    if estimand == "observed":
        count = present.sum(axis=-1)
    return value.sum(axis=-1) / np.where(count > 0, count, np.nan)


def on_treatment(
    value: Shaped[np.ndarray, "... visits patients"],
    present: Bool[np.ndarray, "... visits patients"],
) -> Shaped[np.ndarray, "... visits patients"]:
    """What each patient's last visit showed: this one's, or that before it they came to."""
    visits = np.arange(present.shape[-2])[:, None]
    last = np.maximum.accumulate(np.where(present, visits, 0), axis=-2)
    return np.take_along_axis(value, last, axis=-2)


def after_all(
    value: Shaped[np.ndarray, "... visits patients"],
    after: Shaped[np.ndarray, "... visits patients"],
    staying: Bool[np.ndarray, "... visits patients"],
    weight: Float[np.ndarray, "... visits patients"],
) -> Float[np.ndarray, "... visits"]:
    """The mean over patients under treatment-policy; NaN where nobody is averaged over.

    `after` is what each shows who left in the week of `leaving.Leavers`, `weight` how likely that
    was. As many are taken to have left as did: the weights say who among them.
    """
    if not value.shape[-1]:
        return np.full(value.shape[:-1], np.nan)
    plain, left = np.asarray(value, float), 1 - staying.mean(axis=-1)
    total = weight.sum(axis=-1)
    changed = (weight * (after - plain)).sum(axis=-1) / np.where(total > 0, total, 1)
    return plain.mean(axis=-1) + left * changed
