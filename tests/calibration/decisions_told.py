"""What `docs/calibration-decisions.csv` says: coverage, reliability and choices, as tables."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import sbc
from redrawn_trial import DECIDED, LABELS
from scipy.stats import beta, norm

from pkpd.diagnosis.calibration import calibration_table, holm
from pkpd.settings import Predictions

PATH = sbc.DOCS / "calibration-decisions.csv"
USUAL = Predictions()
KEPT = 399
"""Draws of each posterior that decide."""

RHAT, ESS, DIVERGENCES = 1.05, 100.0, 7
"""Demands on chains of 2 x 350 draws: R-hat at most, ESS at least, divergences at most (1 %)."""

CUTS, GROUPS = (49.0, 82.0), ("short", "medium", "long")
"""Half-lives of memory, in days, that part three groups of about a third of the prior each."""

BINS, LEVEL = np.linspace(0, 1, 11), 0.9
CRITERIA = {
    "kept": f"keeps at least {USUAL.kept_share:.0%} of what Q4W keeps",
    "within": f"loses at most {100 * USUAL.margin:g} points against Q4W",
}


def read(path: Path = PATH) -> pd.DataFrame:
    """The rows of a file."""
    return sbc.read(path)


def fitted(table: pd.DataFrame) -> pd.DataFrame:
    """Trials whose fit did not fail."""
    return table[table["failed"] == ""]


def met(table: pd.DataFrame) -> pd.Series:
    """Whether a trial's chains met the demands."""
    return (
        (table["failed"] == "") & (table["rhat_most"] <= RHAT) & (table["ess_least"] >= ESS)
        & (table["divergences"] <= DIVERGENCES)
    )  # fmt: skip


def group(half_life: pd.Series) -> pd.Series:
    """Short, medium or long memory."""
    return pd.Series(np.array(GROUPS)[np.searchsorted(CUTS, half_life)], half_life.index)


def intervals(table: pd.DataFrame) -> pd.DataFrame:
    """A row an interval: trial, week, arm, what of, and whether the truth is inside."""
    parts = []
    for week, label, name in product(DECIDED, LABELS, ("share", "difference")):
        if name == "difference" and label == LABELS[0]:
            continue
        end = f"{label}_{week:g}"
        width = table[f"{name}_upper_{end}"] - table[f"{name}_lower_{end}"]
        parts.append(pd.DataFrame({
            "simulation": table["simulation"], "week": week, "arm": label, "quantity": name,
            "inside": table[f"{name}_inside_{end}"], "width": width,
            "memory": group(table["memory_true"]), "said": group(table["memory_said"]),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def statements(table: pd.DataFrame) -> pd.DataFrame:
    """A row a stated probability: trial, week, arm, criterion, what was said, what was true."""
    parts = []
    for week, label, name in product(DECIDED, LABELS[1:], CRITERIA):
        end = f"{label}_{week:g}"
        parts.append(pd.DataFrame({
            "simulation": table["simulation"], "week": week, "arm": label, "criterion": name,
            "said": table[f"prob_{name}_{end}"], "true": table[f"{name}_true_{end}"].astype(float),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def limits(share: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact binomial limits (Clopper and Pearson 1934) of a share of `count`."""
    tail, hits = (1 - level) / 2, share * count
    low = 0.0 if hits <= 0 else float(beta.ppf(tail, hits, count - hits + 1))
    high = 1.0 if hits >= count else float(beta.ppf(1 - tail, hits + 1, count - hits))
    return low, high


def coverage(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of intervals with the truth inside, by `by`; limits count each trial once."""
    found = []
    for at, own in rows.groupby(by, sort=False):
        inside, trials = own["inside"].mean(), own["simulation"].nunique()
        low, high = limits(inside, trials)
        found.append({**dict(zip(by, at, strict=True)), "trials": trials, "inside": inside,
                      "low": low, "high": high, "width": own["width"].mean()})  # fmt: skip
    return pd.DataFrame(found)


def reliability(rows: pd.DataFrame) -> pd.DataFrame:
    """By bin of what was said: mean said, share true, and limits that count each trial once."""
    place = np.clip(np.digitize(rows["said"], BINS[1:-1]), 0, len(BINS) - 2)
    found = []
    for k in np.unique(place):
        own = rows[place == k]
        true, trials = own["true"].mean(), own["simulation"].nunique()
        low, high = limits(true, trials)
        found.append({"from": BINS[k], "to": BINS[k + 1], "statements": len(own),
                      "trials": trials, "said": own["said"].mean(), "true": true,
                      "low": low, "high": high})  # fmt: skip
    return pd.DataFrame(found)


def on_average(rows: pd.DataFrame) -> pd.DataFrame:
    """By criterion, week and arm: said and true on average, and whether they differ by chance.

    z is the sum of true minus said over its SD were each said rightly (Spiegelhalter 1986, first
    moment); trials are independent. Of draws that all say one thing half a draw is taken to say the
    other. Two-sided p, and by Holm.
    """
    found = []
    for (criterion, week, arm), own in rows.groupby(["criterion", "week", "arm"], sort=False):
        said = (KEPT * own["said"] + 0.5) / (KEPT + 1)
        z = float((own["true"] - said).sum() / np.sqrt((said * (1 - said)).sum()))
        found.append({"criterion": criterion, "week": week, "arm": arm, "said": own["said"].mean(),
                      "true": own["true"].mean(), "z": z, "p": 2 * norm.sf(abs(z))})  # fmt: skip
    table = pd.DataFrame(found)
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def chosen(table: pd.DataFrame, week: float) -> pd.DataFrame:
    """What was chosen by each rule, how often rightly, and what it cost."""
    end, found = f"_{week:g}", []
    for rule in ("longest_kept", "longest_within", "least_loss"):
        said, true = table[rule + end], table[f"{rule}_true{end}"]
        row = {"too_long": said > true, "exact": said == true, "too_short": said < true}
        found.append({"week": week, "rule": rule, **{n: float(v.mean()) for n, v in row.items()}})
    said, real, best = (table[f"loss_{name}{end}"] for name in ("said", "chosen", "best"))
    found[-1] |= {"loss_said": said.mean(), "loss_true": real.mean(),
                  "regret": (real - best).mean()}  # fmt: skip
    return pd.DataFrame(found)


def rank_table(table: pd.DataFrame) -> pd.DataFrame:
    """Uniformity of the true shares' ranks."""
    names = [f"share_rank_{label}_{week:g}" for week in DECIDED for label in LABELS]
    return calibration_table(table[names].astype(int), sbc.KEEP, bins=sbc.BINS, level=sbc.LEVEL,
                             seed=sbc.SEED)  # fmt: skip


def health(table: pd.DataFrame) -> str:
    """How the fits fared, and what they cost."""
    own, good = fitted(table), met(table)
    return (
        f"{len(table)} trials, {len(table) - len(own)} failed, "
        f"{int((~good).sum())} missed a demand (R-hat {RHAT:g}, "
        f"ESS {ESS:g}, divergences {DIVERGENCES}); least ESS: median "
        f"{own['ess_least'].median():.0f}, tenth {own['ess_least'].quantile(0.1):.0f}; "
        f"CPU seconds a trial: mean {table['cpu_seconds'].mean():.1f}, most "
        f"{table['cpu_seconds'].max():.1f}"
    )


def told(table: pd.DataFrame) -> str:
    """Every table, of all trials and of those that met the demands."""

    def form(rows: pd.DataFrame) -> str:
        return rows.round(3).to_string(index=False)

    own = fitted(table)
    parts = [health(table)]
    for title, some in (("All trials", own), ("Those that met the demands", own[met(own)])):
        inside, said = intervals(some), statements(some)
        parts += [
            f"{title}: 90 % intervals", form(coverage(inside, ["quantity", "week", "arm"])),
            f"{title}: by true memory", form(coverage(inside, ["quantity", "memory"])),
            f"{title}: by said memory", form(coverage(inside, ["quantity", "said"])),
            f"{title}: all intervals", form(coverage(inside, ["quantity"])),
            f"{title}: stated probabilities", form(reliability(said)),
            f"{title}: by statement", form(on_average(said)),
            f"{title}: choices", form(pd.concat([chosen(some, week) for week in DECIDED])),
            f"{title}: ranks", form(rank_table(some)),
        ]  # fmt: skip
    return "\n\n".join(parts)


def markdown(rows: pd.DataFrame) -> str:
    """A table in Markdown, numbers to three digits; what is no number is left empty."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:z.3g}"
        return str(value)

    cells = [[cell(value) for value in row] for row in rows.itertuples(index=False)]
    lines = [[str(name) for name in rows], ["---"] * len(rows.columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
