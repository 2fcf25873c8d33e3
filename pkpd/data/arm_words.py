"""The words an arm-level table may use, and what each stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pkpd.responses import EASI_THRESHOLDS, RESPONSES

ARM_COLUMNS = (
    "study",
    "arm",
    "drug",
    "n",
    "regimen",
    "parent_study",
    "parent_arm",
    "entry_week",
    "phase_off_week",
    "easi_mean",
    "easi_sd",
)
DATA_COLUMNS = (
    "study",
    "nct",
    "drug",
    "arm",
    "dose_mg",
    "interval_weeks",
    "loading",
    "week",
    "phase",
    "endpoint",
    "statistic",
    "estimand",
    "value",
    "unit",
    "spread",
    "spread_value",
    "spread_low",
    "spread_high",
    "count",
    "denominator",
    "n",
    "note",
    "source",
)
ARM_NUMBERS = ("n", "entry_week", "phase_off_week", "easi_mean", "easi_sd")
DATA_NUMBERS = (
    "dose_mg",
    "interval_weeks",
    "week",
    "value",
    "spread_value",
    "spread_low",
    "spread_high",
    "count",
    "denominator",
    "n",
)
IN_UNIT = ("value", "spread_value", "spread_low", "spread_high")  # what a change of unit touches
KEY = ("study", "arm", "week", "endpoint", "statistic", "estimand")
PLACEBO = "placebo"


@dataclass(frozen=True)
class Endpoint:
    """The unit an endpoint is kept in, the statistics it has, and the range of its means."""

    unit: str
    statistics: tuple[str, ...]
    low: float = -math.inf
    high: float = math.inf


_MEANS = ("mean", "ls_mean")
_SHARE = Endpoint("%", ("percent",), 0.0, 100.0)
_RATE = Endpoint("events per patient-year", ("rate_per_patient_year",), 0.0)

ENDPOINTS = {
    "EASI": Endpoint("score", _MEANS, 0.0, 72.0),
    "EASI_CHG": Endpoint("score", _MEANS, -72.0, 72.0),
    "EASI_PCHG": Endpoint("%", _MEANS, -100.0),
    **dict.fromkeys(RESPONSES, _SHARE),
    "EASI100": _SHARE,
    "NRS_CHG": Endpoint("score", _MEANS, -10.0, 10.0),
    "NRS_PCHG": Endpoint("%", _MEANS, -100.0),
    "CONC": Endpoint("mg/L", ("mean",), 0.0),
    "LOSS_EASI50": _RATE,
    "LOSS_EASI75": _RATE,
    "LOSS_IGA01": _RATE,
}
# From the easiest threshold to the hardest: who meets one meets those before it.
THRESHOLDS = (*EASI_THRESHOLDS, "EASI100")
ESTIMANDS = (
    "observed",
    "NRI",
    "ANCOVA",
    "ANCOVA_MI",
    "PK_set",
    "randomised",
    "censored_at_rescue",
)
SPREADS = {
    "": (),
    "sd": ("spread_value",),
    "se": ("spread_value",),
    "ci95": ("spread_low", "spread_high"),
    "range": ("spread_low", "spread_high"),
}
