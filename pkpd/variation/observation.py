"""What stands between a patient's lesions and a posted statistic: visits, thresholds, dropout.

These parameters are shared by every disease model, so that two mechanisms meet the same data.
"""

from __future__ import annotations

from pkpd.model import Parameter, Source
from pkpd.variation.prior import LogitNormal, LogNormal

_OURS = Source("this package, pkpd/variation/observation.py", "weakly informative prior of ours")

OBSERVATION = (
    Parameter(
        "visit_sd",
        0.3,
        "1",
        "SD of log EASI of one patient between near visits",
        _OURS,
        prior=LogNormal(0.3, 0.4),
    ),
    Parameter(
        "visit_memory",
        2.0,
        "week",
        "time over which near visits stay alike",
        _OURS,
        prior=LogNormal(2.0, 0.5),
    ),
    Parameter(
        "flare_sd",
        0.5,
        "1",
        "SD of log EASI from flares, long after baseline",
        _OURS,
        prior=LogNormal(0.5, 0.5),
    ),
    Parameter(
        "flare_memory",
        15.0,
        "week",
        "time over which flares come and go",
        _OURS,
        prior=LogNormal(15.0, 0.5),
    ),
    Parameter(
        "iga_easi",
        2.5,
        "score",
        "EASI at which half the patients are IGA 0 or 1",
        _OURS,
        prior=LogNormal(2.5, 0.4),
        between_trials=LogNormal(0.2, 0.5),
    ),
    Parameter(
        "iga_sd",
        0.4,
        "1",
        "SD of log EASI at which IGA turns 0 or 1",
        _OURS,
        prior=LogNormal(0.4, 0.4),
    ),
    Parameter(
        "dropout",
        0.3,
        "1/year",
        "hazard of leaving at baseline severity",
        _OURS,
        prior=LogNormal(0.3, 0.7),
        between_trials=LogNormal(0.5, 0.5),
    ),
    Parameter(
        "dropout_power",
        0.6,
        "1",
        "power of EASI ratio in the hazard of leaving",
        _OURS,
        prior=LogNormal(0.6, 0.5),
    ),
    Parameter(
        "missed",
        0.03,
        "1",
        "share of visits missed by patients who stay",
        _OURS,
        "logit",
        prior=LogitNormal(0.03, 0.7),
    ),
    Parameter(
        "leakage",
        0.5,
        "1",
        "share of patients with EASI-50 only re-randomised all the same",
        Source(
            "this package, pkpd/variation/observation.py",
            "STREAM-AD Part 2 enrolled more patients than NRI responders",
        ),
        "logit",
        prior=LogitNormal(0.5, 1.0),
    ),
    Parameter(
        "level_sd",
        0.1,
        "1",
        "SD of log mean concentration from visit windows and assay",
        _OURS,
        prior=LogNormal(0.1, 0.4),
    ),
)

EXPOSURE = (
    Parameter(
        "clearance_shift",
        0.0,
        "1",
        "log ratio of a trial's clearance to the published one",
        _OURS,
        "identity",
        between_trials=LogNormal(0.1, 0.3),
    ),
    Parameter(
        "uptake_shift",
        0.0,
        "1",
        "log ratio of a trial's concentrations to the published",
        _OURS,
        "identity",
        between_trials=LogNormal(0.07, 0.3),
    ),
)
