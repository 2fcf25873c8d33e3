"""A small re-randomised trial, and the virtual patients that a decision from it is about.

Sixty patients get 300 mg every 4 weeks until week 24; from there a quarter each go on every
4, 8 and 12 weeks, or stop, whoever responds. EASI is seen every 4 weeks until week 48, before the
dose of that day. One compartment held, T-cell rebalancing: potency, memory (its turnover and how
much of it effector cells keep up) and steepness free; potency and steepness vary between patients,
the first by an SD that is held; residual error free. Virtual patients are followed under all four
until week 72.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from pkpd import library
from pkpd.data.events import read_events
from pkpd.decision.quantities import Regimens
from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood
from pkpd.settings_individual import (
    Choice,
    Engine,
    IndividualSampler,
    IndividualSettings,
    Observation,
)

MODEL, OUTPUT = "pk_1cmt_iv+tcell_rebalancing", "easi_ratio"
DOSE, INDUCTION, DAYS = 300.0, 4.0, 7.0
SELECTION, LAST_VISIT, LAST_DECIDED = 24.0, 48.0, 72.0
DECIDED = (LAST_VISIT, LAST_DECIDED)
INTERVALS = (4.0, 8.0, 12.0, np.inf)
LABELS = ("Q4W", "Q8W", "Q12W", "stop")
PATIENTS, VIRTUAL = 60, 256
VISITS = np.arange(4.0, LAST_VISIT + 1, 4.0)
FOLLOWED = np.arange(SELECTION, LAST_DECIDED + 1, 4.0)
HELD = {"cl": 0.2, "v": 5.5, "imax": 0.8, "kdep": 0.0, "gr": 0.5, "ke": 0.1, "kr": 0.0316,
        "ks": 0.06, "placebo": 0.3, "kp": 0.0416}  # fmt: skip
FREE = {  # median, SD of the log (phi: of the logit)
    "ec50": (5.0, 0.7),
    "kmem": (0.023, 0.35),
    "phi": (0.5, 1.0),
    "gamma": (0.7, 0.3),
}
VARYING = {"ec50": 0.5, "gamma": None}
"""Between patients: SDs that are held; None has the model's own prior."""

NOISE = 0.3
TOLERANCE, OF_VIRTUAL = 3e-4, 1e-3
SAMPLER = IndividualSampler(chains=2, tune=150, draws=350, target_accept=0.85)


def settings(tolerance: float = TOLERANCE) -> IndividualSettings:
    """The fit: what is held, and priors."""
    free = {
        name: Choice(median=median, sd=sd, between=None if name in VARYING else 0.0,
                     between_fixed=VARYING.get(name))
        for name, (median, sd) in FREE.items()
    }  # fmt: skip
    return IndividualSettings(
        name="decisions",
        title="Calibration of decisions",
        model=MODEL,
        data="simulated",
        observations=(Observation(output=OUTPUT, error="lognormal", priors={"lognormal": NOISE}),),
        parameters={n: Choice(fixed=v, between=0.0) for n, v in HELD.items()} | free,
        engine=Engine(tolerance=tolerance),
        sampler=SAMPLER,
    )


def dose_weeks(interval: float, last: float) -> np.ndarray:
    """Weeks of doses before `last`: the induction's, then those of an interval."""
    later = [] if np.isinf(interval) else np.arange(SELECTION, last, interval)
    return np.concatenate([np.arange(0.0, SELECTION, INDUCTION), later])


def records(intervals: list[float], weeks: np.ndarray) -> dict[str, np.ndarray]:
    """One subject an entry of `intervals`, seen at `weeks`; DV is a place to be filled."""
    rows = []
    for who, interval in enumerate(intervals, start=1):
        doses = dose_weeks(interval, weeks[-1])
        events = [(week, 0) for week in weeks] + [(week, 1) for week in doses]
        for week, dosed in sorted(events):  # a visit comes before the dose of its day
            seen = np.nan if dosed else 1.0
            rows.append((who, DAYS * week, DOSE if dosed else 0.0, dosed, seen))
    return dict(zip(("ID", "TIME", "AMT", "EVID", "DV"), np.array(rows).T, strict=True))


def built(intervals: list, weeks: np.ndarray, tolerance: float = TOLERANCE) -> IndividualLikelihood:
    """The likelihood of such records, with no data in it that count."""
    table = read_events(records(intervals, weeks)).table
    return individual_likelihood(settings(tolerance), library.load(MODEL), table)


@cache
def trial() -> IndividualLikelihood:
    """The trial's likelihood."""
    return built(list(np.resize(INTERVALS, PATIENTS)), VISITS)


@cache
def scores(count: int = VIRTUAL) -> dict[str, np.ndarray]:
    """Standardised effects of the virtual patients: Sobol points, scrambled by a fixed seed."""
    points = qmc.Sobol(len(VARYING), rng=np.random.default_rng(1)).random(count)
    return {f"{name}_eta": z for name, z in zip(VARYING, ndtri(points).T, strict=True)}


def regimens() -> Regimens:
    """The arms as a decision knows them."""
    return Regimens(LABELS, INTERVALS, FOLLOWED)


def virtual(count: int = VIRTUAL, tolerance: float = OF_VIRTUAL) -> IndividualLikelihood:
    """Virtual patients under the first arm, then the same under the second, and so on."""
    return built(list(np.repeat(INTERVALS, count)), FOLLOWED, tolerance)
