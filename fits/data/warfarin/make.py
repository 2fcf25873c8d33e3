"""Writes data.csv beside this file from nlmixr2data's `warfarin`: `make.py PATH_OF_ITS_CSV`.

In R: `write.csv(nlmixr2data::warfarin, "warfarin.csv", row.names = FALSE)`. The columns are
id, time, amt, dv, dvid, evid, wt, age, sex. Records are kept as they are, in their order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
COLUMNS = ["id", "time", "amt", "dv", "dvid", "evid", "wt", "age", "sex"]


def records(path: Path) -> pd.DataFrame:
    """The file's records; DV of a dose is empty, since it holds no observation."""
    table = pd.read_csv(path)[COLUMNS]
    return table.assign(dv=table["dv"].mask(table["evid"] == 1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    made = records(Path(sys.argv[1]))
    made.to_csv(HERE / "data.csv", index=False, lineterminator="\n", na_rep=".")
