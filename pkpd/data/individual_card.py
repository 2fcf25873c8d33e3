"""The card of individual data: which column of the file is which, in what unit, by what rule."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkpd.data.card import Card, read_card
from pkpd.errors import Fault, UnitError
from pkpd.units import factor

NUMERIC = ("TIME", "DV", "AMT", "EVID", "MDV", "RATE", "ADDL", "II", "SS", "CENS", "LIMIT")
NAMES = ("ID", "CMT", "DVID", "OCC", "STUDY", "DRUG", "ARM")
ROLES = (*NUMERIC, *NAMES)
NEEDED = ("ID", "TIME", "DV")
RULES = ("constant", "nonmem", "locf")
_KEYS = {"unit", "meaning", "as", "rule", "values", "log"}
_COVARIATE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True)
class Column:
    """A column that is read: its name in the file, what it is (`role`), and how it is read.

    `unit` is a text, or for DV a text by DVID. A covariate (any role not in `ROLES`) has a `rule`;
    `values` gives numbers for words; `log` says that DV is a natural logarithm, the unit that of
    the number itself.
    """

    name: str
    role: str
    unit: str | Mapping[str, str]
    rule: str
    values: Mapping[str, float]
    log: bool

    @property
    def covariate(self) -> bool:
        """Whether the column is none of the event record's own."""
        return self.role not in ROLES

    @property
    def units(self) -> tuple[str, ...]:
        """Its units."""
        return (self.unit,) if isinstance(self.unit, str) else tuple(self.unit.values())


@dataclass(frozen=True)
class IndividualCard:
    """The card, its columns that are read, and whether equal observations are meant."""

    card: Card
    columns: tuple[Column, ...]
    replicates: bool

    @property
    def covariates(self) -> tuple[Column, ...]:
        """The columns that are covariates."""
        return tuple(column for column in self.columns if column.covariate)

    def column(self, role: str) -> Column | None:
        """The column of that role, if there is one."""
        return next((column for column in self.columns if column.role == role), None)

    def fingerprint(self) -> str:
        """A SHA-256 of what the card says of how columns are read; words of meaning left out."""
        kept = {
            name: {key: value for key, value in said.items() if key != "meaning"}
            for name, said in self.card.content["columns"].items()
        }
        said = json.dumps([kept, self.replicates], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()


def read_individual_card(path: Path, columns: Sequence[str]) -> tuple[IndividualCard, list[Fault]]:
    """The card of individual data whose file has these columns, and what is wrong with it."""
    card, faults = read_card(path, columns, ())
    described = card.content.get("columns", {})
    if not card.content:
        return IndividualCard(card, (), False), faults
    where = f"{path.parent.name}/{path.name}"
    faults += _head_faults(where, card.content)
    faults += [
        Fault(f"{where} [columns.{name}]", "the file has no such column", "Remove it.")
        for name in described
        if name not in columns
    ]
    entries = {name: said for name, said in described.items() if isinstance(said, dict)}
    faults += [
        Fault(f"{where} [columns.{name}]", *told)
        for name, said in entries.items()
        for told in _entry_faults(said)
    ]
    faults += _role_faults(where, entries)
    if faults:
        return IndividualCard(card, (), False), faults
    return IndividualCard(card, columns_of(entries), card.content.get("replicates", False)), []


def columns_of(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns that are read, of a card's checked table `[columns]`."""
    return tuple(_column(name, said) for name, said in entries.items() if "as" in said)


def missing_file(path: Path, card: Path) -> Fault:
    """The fault of a folder without its table: the card may say which command makes it."""
    content = read_card(card, (), ())[0].content
    make = content.get("make")
    remedy = f"Make it: `{make}`." if make else f"Put '{path.name}' into the folder."
    return Fault(str(path), "there is no such file", remedy)


def _column(name: str, said: Mapping[str, Any]) -> Column:
    return Column(
        name=name,
        role=said["as"],
        unit=said["unit"],
        rule=said.get("rule", ""),
        values=said.get("values", {}),
        log=said.get("log", False),
    )


def _head_faults(where: str, content: Mapping[str, Any]) -> list[Fault]:
    faults = []
    if content.get("kind") != "individual":
        faults.append(
            Fault(f"{where} kind", f"it is {content.get('kind')!r}", 'Write kind = "individual".')
        )
    if not isinstance(content.get("replicates", False), bool):
        faults.append(Fault(f"{where} replicates", "it is no truth value", "Write true or false."))
    return faults


def _entry_faults(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with one column's entry: what was found, what to do."""
    faults = [
        (f"'{key}' is not known", f"Keys are {', '.join(sorted(_KEYS))}.")
        for key in said
        if key not in _KEYS
    ]
    role = said.get("as")
    if role is None:
        return faults
    if not isinstance(role, str) or not _COVARIATE.fullmatch(role):
        return [*faults, (f"as is {role!r}", f"Use {_spoken()}, or a covariate in capitals.")]
    return faults + _rule_faults(role, said) + _value_faults(role, said) + _unit_faults(role, said)


def _rule_faults(role: str, said: Mapping[str, Any]) -> list[tuple[str, str]]:
    rule = said.get("rule")
    if role in ROLES:
        return [("a rule is for covariates", "Remove it.")] if rule is not None else []
    if rule in RULES:
        return []
    found = "has no rule" if rule is None else f"has the rule {rule!r}"
    return [
        (
            f"{role} is none of {_spoken()}, so it is a covariate, and {found}",
            "State constant, nonmem (a record's value governs the interval that ends at it) or "
            "locf (it governs from it on).",
        )
    ]


def _value_faults(role: str, said: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults = []
    values = said.get("values", {})
    if not isinstance(values, dict) or not all(_number(v) for v in values.values()):
        faults.append(("values is no table of numbers", "Write values = { male = 0, female = 1 }."))
    if values and role in NAMES:
        faults.append((f"values are for numbers; {role} is a name", "Remove them."))
    if not isinstance(said.get("log", False), bool) or ("log" in said and role != "DV"):
        faults.append(("log is for DV, true or false", "Remove it, or write log = true."))
    return faults


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unit_faults(role: str, said: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = said.get("unit")
    if isinstance(unit, str):
        return _unknown(unit)
    if role == "DV" and isinstance(unit, dict) and all(isinstance(u, str) for u in unit.values()):
        return [told for each in unit.values() for told in _unknown(each)]
    return [("unit is no text", "Write it as text; for DV, a text by DVID is read too.")]


def _unknown(unit: str) -> list[tuple[str, str]]:
    if not unit:
        return []
    try:
        factor(unit, unit)
    except UnitError as error:
        return [(str(error).rstrip("."), "Use a known unit, or empty text where there is none.")]
    return []


def _role_faults(where: str, entries: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    roles = [said["as"] for said in entries.values() if isinstance(said.get("as"), str)]
    twice = sorted({role for role in roles if roles.count(role) > 1})
    faults = [Fault(where, f"two columns are read as {role}", "Keep one.") for role in twice]
    return faults + [
        Fault(where, f"no column is read as {role}", f'Write as = "{role}" in its [columns.NAME].')
        for role in NEEDED
        if role not in roles
    ]


def _spoken() -> str:
    return ", ".join(ROLES)
