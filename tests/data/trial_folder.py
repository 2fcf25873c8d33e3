"""A small folder of individual data, written for a test, and the faults that reading it tells."""

from __future__ import annotations

import hashlib

import pytest

from pkpd.data.individual_table import read_individuals
from pkpd.errors import DataError

UNITS = {"TIME": "h", "DV": "ng/mL", "AMT": "mg", "WT": "kg", "RATE": "mg/h", "II": "h"}
GOOD = """\
ID,TIME,DV,AMT,EVID,DVID,CENS,WT,SEX
1,0,.,100,1,.,.,70,male
1,1,5.5,.,0,conc,0,.,.
1,2,0.5,.,0,conc,1,.,.
2,0,.,100,1,.,.,60,female
2,1,4.5,.,0,conc,0,61,female
"""
RULES = {
    "WT": {"rule": "nonmem"},
    "SEX": {"rule": "constant", "values": {"male": 0, "female": 1}},
}


def toml(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def folder(path, text=GOOD, columns=None, head="", **more):
    """A data folder; `columns` changes entries of the card, `head` adds to its top."""
    made = path / "trial"
    made.mkdir(exist_ok=True)
    (made / "data.csv").write_text(text, "utf-8")
    parts = {"title": "t", "kind": "individual", "source": "s", "licence": "l", **more}
    lines = [f"{key} = {toml(value)}" for key, value in parts.items()]
    lines += [head, "[sha256]", f'"data.csv" = "{hashlib.sha256(text.encode()).hexdigest()}"']
    for name in text.partition("\n")[0].split(","):
        entry = {"unit": UNITS.get(name, ""), "meaning": "m", "as": name, **RULES.get(name, {})}
        entry |= (columns or {}).get(name, {})
        lines.append(f"[columns.{name}]")
        lines += [f"{key} = {toml(value)}" for key, value in entry.items() if value is not None]
    (made / "card.toml").write_text("\n".join(lines), "utf-8")
    return made


def faults(made, **options):
    with pytest.raises(DataError) as caught:
        read_individuals(made, **options)
    return str(caught.value)
