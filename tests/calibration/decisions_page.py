"""The tables of decisions in docs/calibration.md, written anew from the CSV beside it.

python tests/calibration/decisions_page.py
"""

from __future__ import annotations

import decisions_told as told
import numpy as np
import pandas as pd
import sbc

from pkpd.files import replacing

PAGE, BEGIN, END = sbc.DOCS / "calibration.md", "<!-- decisions -->", "<!-- decisions end -->"
FIGURE = "![Stated probabilities and coverage of decisions](calibration-decisions.png)"


def tables(table: pd.DataFrame) -> str:
    """How the fits fared, coverage, reliability and choices, in Markdown."""
    own = told.fitted(table)
    good = own[told.met(own)]
    said = told.statements(own)
    parts = [
        f"{told.health(table)}.",
        FIGURE,
        "90 % equal-tailed intervals; limits in brackets are 90 % binomial ones.",
        told.markdown(_beside(own, good, ["quantity", "week", "arm"])),
        "The same, all arms and weeks together; limits count each trial once.",
        told.markdown(_groups(own, good)),
        "Stated probabilities, all statements together.",
        told.markdown(_reliability(said)),
        "By statement: stated and true on average, z of their difference, p by Holm.",
        told.markdown(told.on_average(said).drop(columns="p")),
        "Choices against those that the truth would have made; `regret` is the true loss of the "
        "chosen less that of the best, in years without response per patient-year.",
        told.markdown(pd.concat([told.chosen(own, week) for week in told.DECIDED])),
    ]
    return "\n\n".join(parts)


def _beside(own: pd.DataFrame, good: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Coverage of all trials, and of those that met the demands beside it."""
    found = told.coverage(told.intervals(own), by)
    some = told.coverage(told.intervals(good), by).set_index(by)["inside"]
    ends = (100 * found[["inside", "low", "high"]]).to_numpy()
    span = [f"{share:.1f} ({low:.0f} to {high:.0f})" for share, low, high in ends]
    demands = [some.get(at if len(by) > 1 else at[0], np.nan)
               for at in found[by].itertuples(index=False, name=None)]  # fmt: skip
    return found[[*by, "trials"]].assign(
        **{"inside, %": span, "demands met, %": [f"{100 * share:.1f}" for share in demands],
           "mean width": found["width"].to_numpy()}
    )  # fmt: skip


def _groups(own: pd.DataFrame, good: pd.DataFrame) -> pd.DataFrame:
    """Coverage of all, by true memory, and by the memory that the posterior said."""
    parts = []
    for by, name in (("memory", "true memory"), ("said", "memory said")):
        rows = _beside(own, good, ["quantity", by]).rename(columns={by: "trials with"})
        order = {group: k for k, group in enumerate(told.GROUPS)}
        rows = rows.sort_values("trials with", key=lambda c: c.map(order), kind="stable")
        parts.append(rows.assign(**{"trials with": [f"{g} {name}" for g in rows["trials with"]]}))
    first = _beside(own, good, ["quantity"]).assign(**{"trials with": "any memory"})
    return pd.concat([first, *parts])[list(parts[0])]


def _reliability(said: pd.DataFrame) -> pd.DataFrame:
    found = told.reliability(said)
    span = [f"{row.true:.3f} ({row.low:.2f} to {row.high:.2f})" for row in found.itertuples()]
    bins = [f"{a:.1f} to {b:.1f}" for a, b in zip(found["from"], found["to"], strict=True)]
    return pd.DataFrame({"stated": bins, "statements": found["statements"],
                         "trials": found["trials"], "mean stated": found["said"],
                         "true": span})  # fmt: skip


def placed(page: str, words: str) -> str:
    """The page with these words between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{words}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the page's part."""
    page = placed(PAGE.read_text("utf-8"), tables(told.read()))
    with replacing(PAGE) as partial:
        partial.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
