"""A CSV of 2,600 subjects x 60 records read, checked and made individual data.

There is no rival that checks; pandas' `read_csv` of the same file, which checks nothing, says what
the machine takes for the cells alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from timing import Row, alternating, row

from pkpd.data.individual_table import read_individuals

SUBJECTS, RECORDS = 2600, 60
UNITS = {"TIME": "day", "DV": "mg/L", "AMT": "mg", "WT": "kg"}


def written(folder: Path) -> Path:
    """A folder of data with its card."""
    at, who = np.tile(np.arange(RECORDS), SUBJECTS), np.repeat(np.arange(SUBJECTS), RECORDS)
    dose = at % 4 == 0
    columns = {
        "ID": who, "TIME": 7.0 * at, "DV": np.where(dose, np.nan, (1 + at + who % 97 / 7).round(4)),
        "AMT": np.where(dose, 300, 0), "EVID": dose.astype(int), "CENS": 0,
        "DVID": np.where(at % 2, "easi", "conc"), "ARM": np.where(who % 2, "a", "b"),
        "WT": 60 + who % 40,
    }  # fmt: skip
    text = pd.DataFrame(columns).to_csv(index=False, na_rep=".")
    card = [f'{key} = "{key}"' for key in ("title", "source", "licence")]
    card += ['kind = "individual"', "[sha256]"]
    card.append(f'"data.csv" = "{hashlib.sha256(text.encode()).hexdigest()}"')
    for name in columns:
        card += [f"[columns.{name}]", f'as = "{name}"', 'meaning = "-"']
        card.append(f'unit = "{UNITS.get(name, "")}"')
        card += ['rule = "constant"'] * (name == "WT")
    (folder / "data.csv").write_text(text, "utf-8")
    (folder / "card.toml").write_text("\n".join(card), "utf-8")
    return folder


def reading(repeats: int) -> Row:
    """The row, both timed in turns."""
    with TemporaryDirectory() as place:
        folder = written(Path(place))
        found = len(read_individuals(folder).observations)
        ours, plain = alternating(
            lambda: len(read_individuals(folder).events.table),
            lambda: len(pd.read_csv(folder / "data.csv")),
            repeats,
        )
    return row(
        "reading of individual data", ours, plain, "pandas read_csv, which checks nothing",
        f"{found:,} observations found", f"{SUBJECTS:,} subjects x {RECORDS} records",
    )  # fmt: skip
