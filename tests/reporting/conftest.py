"""A plausible fit folder, made of formulas: nothing in it is a result."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pkpd.decision.rows import COLUMNS

INDUCTIONS = (
    ("rocatinlimab", "300 mg every 4 weeks, extra 300 mg at week 2", 0.75),
    ("rocatinlimab", "150 mg every 4 weeks", 0.68),
    ("amlitelimab", "500 mg at week 0, then 250 mg every 4 weeks", 0.72),
)
LOSS = {"Q4W": 0.0008, "Q8W": 0.0016, "Q12W": 0.0027, "Q16W": 0.0036, "stop": 0.0075}
HARDNESS = {"EASI50": 0.6, "EASI75": 1.0, "EASI90": 1.5, "IGA01": 1.3}
ARMS = (
    *(("KHK4083-006", arm, 52) for arm in (
        "150 mg Q4W", "600 mg Q4W", "300 mg Q2W", "600 mg Q2W", "placebo -> 600 mg Q2W from wk18")),
    *(("STREAM-AD-1", arm, 78) for arm in (
        "62.5 mg Q4W", "125 mg Q4W", "250 mg Q4W (no LD)", "250 mg Q4W + 500 mg LD", "placebo")),
    *(("STREAM-AD-2", arm, 22) for arm in (
        "62.5 mg Q4W continued", "125 mg Q4W continued",
        "250 mg Q4W continued (from 250 no LD)", "250 mg Q4W continued (from 250+LD)",
        "placebo continued (placebo responders)", "withdrawn at wk24 (from 62.5)",
        "withdrawn at wk24 (from 125)", "withdrawn at wk24 (from 250 no LD)",
        "withdrawn at wk24 (from 250+LD)")),
)  # fmt: skip
SHAPES = {"EASI_PCHG": 0, "EASI50": 0.85, "EASI75": 1.3, "EASI90": 2.4, "IGA01": 2.7, "CONC": 0}
MODELS = (
    ("T-cell rebalancing", -3121.4, 0.0, 0.94, 0.59),
    ("direct effect", -3390.2, -268.8, 0.61, 0.07),
)
SENTENCE = (
    "After 24 weeks of rocatinlimab 300 mg every 4 weeks, responders moved to every 8 weeks keep"
    " 94 % of the EASI-75 response of those who stay on every 4 weeks at week 104 (90 %"
    " equal-tailed interval 85 to 99 %); every 16 weeks keeps 82 % and stopping keeps 59 %."
)
WARNING = (
    "Development of rocatinlimab stopped in March 2026 on safety grounds (Kaposi sarcoma signal)."
    " The method serves the class; this page is no case for using the drug."
)


def predictions() -> pd.DataFrame:
    made = []
    for drug, induction, _ in INDUCTIONS:
        for endpoint, hard in HARDNESS.items():
            for estimand, leave in (("observed", 0.0002), ("NRI", 0.0025), ("hypothetical", 0.0)):
                for regimen, rate in LOSS.items():
                    for week in range(24, 105, 4):
                        time = week - 24
                        share = math.exp(-(hard * rate + leave) * time)
                        q4w = math.exp(-(hard * LOSS["Q4W"] + leave) * time)
                        wide = 0.004 + 0.0012 * time * (0.5 + 60 * rate)
                        row = [drug, induction, regimen, week, endpoint, estimand]
                        for statistic, value in (("proportion", share), ("kept_ratio", share / q4w),
                                                 ("difference", share - q4w)):  # fmt: skip
                            top = 0.02 if statistic == "difference" else 1.0
                            band = [max(value - wide, -1), min(value + 0.8 * wide, top), 0.9, "eti"]
                            made.append([*row, statistic, value, *band, "uncertainty"])
                        for layer, extra in (("variability", 0.3), ("new_trial", 0.12)):
                            band = [max(share - wide - extra, 0), min(share + wide + extra, 1)]
                            made.append([*row, "proportion", share, *band, 0.9, "eti", layer])
        for regimen, rate in LOSS.items():
            for endpoint, hard in HARDNESS.items():
                time = 80 / (1 + 20 * hard * rate)
                made.append([drug, induction, regimen, 104, endpoint, "hypothetical",
                             "restricted_mean_weeks_to_loss", time, time - 3, time + 2, 0.9, "eti",
                             "uncertainty"])  # fmt: skip
            for week in (52, 72, 104):
                trough = 24 * math.exp(-900 * rate)
                made.append([drug, induction, regimen, week, "CONC", "hypothetical",
                             "concentration_trough", trough, trough * 0.6, trough * 1.6, 0.9, "eti",
                             "uncertainty"])  # fmt: skip
    names = """drug induction regimen week endpoint estimand statistic mean lower upper level kind
        layer"""
    return pd.DataFrame(made, columns=names.split())


def decisions() -> pd.DataFrame:
    made = []
    for drug, induction, _ in INDUCTIONS:
        for estimand in ("hypothetical", "NRI"):
            for week in (52, 72, 104):
                shared = {
                    "drug": drug, "induction": induction, "subgroup": "all", "endpoint": "EASI75",
                    "estimand": estimand, "week": week, "model": "own", "level": 0.9,
                    "kind": "eti", "status": "final",
                }  # fmt: skip
                made += [shared | row for regimen in LOSS for row in weighed(week, regimen)]
                for quantity in ("longest_interval", "longest_within_margin", "least_loss"):
                    made.append(shared | {"regimen": "Q8W", "quantity": quantity, "margin": 0.9,
                                          "probability": 0.8, "value": 8})  # fmt: skip
    return pd.DataFrame(made, columns=list(COLUMNS))


def weighed(week: int, regimen: str) -> list[dict]:
    """Every quantity of one regimen at one week."""
    rate = LOSS[regimen]
    share, q4w = (math.exp(-each * (week - 24)) for each in (rate, LOSS["Q4W"]))
    p = 1 / (1 + math.exp((rate - 0.003) * 14 * (week - 24)))
    far = "The trough lies below every trough observed on drug: the answer extrapolates."
    first = {"regimen": regimen, "flag": far if regimen in ("Q12W", "Q16W") else ""}
    numbers = {"proportion": share, "difference": share - q4w, "kept_ratio": share / q4w,
               "expected_loss": 1 - share}  # fmt: skip
    chances = {"prob_loss_within_margin": (p, 0.1), "prob_kept_share": (p, 0.9),
               "prob_dominated": (0.0, None), "prob_least_loss": (0.2, None)}  # fmt: skip
    made = [{"quantity": "injections_per_year",
             "value": 0.0 if regimen == "stop" else 52.18 / float(regimen[1:-1])}]  # fmt: skip
    for quantity, value in numbers.items():
        ends = {"value": value, "lower": value - 0.03, "upper": value + 0.02}
        made.append({"quantity": quantity, "prior_value": 0.5, "prior_sensitivity": 0.02,
                     "likelihood_sensitivity": 0.1, **ends})  # fmt: skip
    for quantity, (value, margin) in chances.items():
        made.append({"quantity": quantity, "value": value, "margin": margin, "prior_value": 0.45})
    return [first | row for row in made]


def ppc(arms: tuple = ARMS) -> pd.DataFrame:
    random, made = np.random.default_rng(7), []
    for study, arm, n in arms:
        second = study == "STREAM-AD-2"
        weeks = range(28, 53, 4) if second else range(2, 25 if "STREAM" in study else 57, 2)
        best = 0.35 if arm == "placebo" else 0.75
        for week in weeks:
            gone = 0.006 * (week - 24) * ("withdrawn" in arm) if second else 0.0
            on = best * (1 - math.exp(-week / 9)) - gone
            for endpoint, hard in SHAPES.items():
                if endpoint == "CONC" and not second:
                    continue
                scale = {"EASI_PCHG": -110.0, "CONC": 40.0}.get(endpoint, 1.0)
                middle = scale * (on**hard if hard else on)
                wide = abs(scale) * (0.09 if n > 30 else 0.16)
                low, high = middle - wide, middle + wide
                if endpoint != "EASI_PCHG":
                    low, high = max(low, 0), min(high, scale)
                seen = random.normal(middle, wide / 1.7)
                seen = seen if endpoint == "EASI_PCHG" else min(max(seen, 0), scale)
                estimand = "NRI" if hard else "observed"
                row = [study, arm, week, endpoint, "percent" if hard else "mean", estimand, n]
                inside, fitted = low <= seen <= high, week % 12 != 0
                made.append([*row, seen, middle, low, high, 0.9, inside, fitted])
    names = """study arm week endpoint statistic estimand n observed median lower upper level
        inside fitted"""
    return pd.DataFrame(made, columns=names.split())


def summary() -> pd.DataFrame:
    rows = [
        ("phi", "share of memory kept by effectors", "1", 0.7, 0.88),
        ("imax", "largest inhibition", "1", 0.9, 0.97),
        ("ec50", "concentration at half effect", "mg/L", 5.0, 0.83),
        ("r_gain", "gain of regulatory cells", "1", 0.6, 0.74),
        ("k_effector", "turnover of effector cells", "1/day", 0.09, 0.61),
        ("k_memory", "turnover of memory cells", "1/day", 0.02, 0.42),
        ("k_skin", "turnover of lesions", "1/day", 0.05, 0.21),
        ("gamma", "steepness of lesions on effectors", "1", 1.4, 0.33),
        ("placebo_max", "largest placebo response", "1", 0.4, 0.18),
        ("hazard_base", "dropout hazard", "1/day", 0.002, 0.24),
        ("trial_shift_streamad", "shift of the STREAM-AD trial", "log", 0.0, 0.36),
        ("between_k_skin", "spread between patients of k_skin", "SD, log", 0.5, 0.29),
    ]
    made = []
    for at, (name, meaning, unit, prior, contraction) in enumerate(rows):
        spread, shift = (0.5 if unit == "1" else 1.1), 0.3 * math.sin(at)
        move = (lambda z, p=prior: p + z) if unit == "log" else (lambda z, p=prior: p * math.exp(z))
        post = [move(shift + q * spread * contraction) for q in (-1.64, 0, 1.64)]
        first = [move(q * spread) for q in (-1.64, 0, 1.64)]
        made.append([name, meaning, unit, post[1], 0.1, post[1], post[0], post[2], 0.9, "eti",
                     first[1], first[0], first[2], contraction, 1.002 + at / 4e3, 1800 - 60 * at,
                     1600.0])  # fmt: skip
    names = """parameter meaning unit mean sd median lower upper level kind prior_median
        prior_lower prior_upper contraction rhat ess_bulk ess_tail"""
    return pd.DataFrame(made, columns=names.split())


def compare() -> pd.DataFrame:
    made = []
    for drug in ("rocatinlimab", "amlitelimab"):
        for model, elpd, diff, q8w, stop in MODELS:
            row = [model, elpd, 41.2, diff, 22.9 if diff else 0.0, 0.62, 0.5, "LOO by arm"]
            kept = [q8w, q8w - 0.09, q8w + 0.05, stop, max(stop - 0.12, 0), stop + 0.12]
            asked = [0.9, "eti", drug, "250 mg every 4 weeks", 72, "EASI75", "hypothetical"]
            made.append([*row, *asked, *kept])
    names = """model elpd se elpd_diff diff_se pareto_k_max weight method level kind drug induction
        week endpoint estimand kept_q8w kept_q8w_lower kept_q8w_upper kept_stop kept_stop_lower
        kept_stop_upper"""
    return pd.DataFrame(made, columns=names.split())


def excluded() -> list[dict]:
    wrong = "the registry's value has the wrong sign <sic>"
    keys = ("row", "study", "arm", "week", "endpoint", "value", "rule", "reason")
    rows = [(412, "KHK4083-006", "600 mg Q4W", 30, "EASI_PCHG", 61.3, "registry_error", wrong)]
    late = "a rate over weeks 24-52, censored at rescue: understates relapse"
    for at in range(27):
        endpoint = f"LOSS_EASI{(50, 75, 90)[at % 3]}"
        row = (900 + at, "STREAM-AD-2", "125 mg Q4W continued", "24-52", endpoint)
        rows.append((*row, 0.31 + at / 100, "rates", late))
    return [dict(zip(keys, row, strict=True)) for row in rows]


def card(passed: bool) -> dict:
    ess = 212.0 if not passed else 812.0
    more = "Run longer chains: set draws = 2000 in fit.toml."
    checks = [
        ("rhat_max", 1.004, 1.01, True, ""),
        ("ess_bulk_min", ess, 400, passed, "" if passed else more),
        ("divergences", 0, 0, True, ""),
        ("coverage_90", 0.893, "0.8 to 0.97", True, ""),
    ]
    keys = ("check", "value", "limit", "passed", "advice")
    return {
        "name": "ox40_maintenance", "passed": passed, "sentence": SENTENCE, "warnings": [WARNING],
        "diagnostics": [dict(zip(keys, check, strict=True)) for check in checks],
        "excluded": excluded(),
        "versions": {"pkpd": "0.1.0", "python": "3.12.1", "jax": "0.9.1", "pymc": "6.0.1"},
        "hashes": {"data.csv": "9f2c" * 16, "model": "41ab" * 16, "fit.toml": "c07e" * 16},
        "seeds": {"sampling": 20260301, "prediction": 20260302},
        "settings": {"sampler": {"name": "nuts", "draws": 1000, "tune": 1000, "chains": 4},
                     "virtual_patients": 128, "responders_week": 24},
        "seconds": {"sampling": 5321.4, "prediction": 210.7},
    }  # fmt: skip


MAKERS = {
    "summary": summary, "ppc": ppc, "compare": compare, "predictions": predictions,
    "decisions": decisions,
}  # fmt: skip


def write_folder(
    folder: Path, *, passed: bool = True, small: bool = True, leave_out: tuple = ()
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(card(passed)))
    for name in MAKERS.keys() - set(leave_out):
        table = ppc(ARMS[-2:]) if small and name == "ppc" else MAKERS[name]()
        if small and name in ("predictions", "decisions"):
            table = table[table["drug"] == "amlitelimab"]
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def fit_folder(tmp_path_factory):
    """Give back a function that writes a fit folder in a fresh place."""
    return lambda **asked: write_folder(tmp_path_factory.mktemp("fit"), **asked)
