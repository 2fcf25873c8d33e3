"""The data card: what a data folder says of itself, and which rows it leaves out, by rule."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkpd.data.lines import number
from pkpd.errors import Fault

_CONTAINS = "_contains"
_RULE_FORM = "Write [[exclude]] with name, reason and rule = { COLUMN_contains = 'text' }."


@dataclass(frozen=True)
class Rule:
    """Conditions on columns, all of which must hold, and why they are asked.

    `waives` names the checks that the rows under an exclusion rule need not pass.
    """

    name: str
    reason: str
    conditions: Mapping[str, Any]
    waives: frozenset[str] = frozenset()

    def holds(self, cells: Mapping[str, object]) -> bool:
        """Whether a row (column to cell) meets every condition."""
        return all(_meets(cells, key, wanted) for key, wanted in self.conditions.items())


@dataclass(frozen=True)
class Card:
    """The card's content, its exclusion rules and its remarks."""

    content: Mapping[str, Any]
    excludes: tuple[Rule, ...]
    remarks: tuple[Rule, ...]


def read_card(
    path: Path, columns: Sequence[str], checks: Iterable[str]
) -> tuple[Card, list[Fault]]:
    """The card of a data folder, and what is wrong with it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fault = Fault(
            str(path),
            "no such file",
            "Write a data card: fits/data/ox40_trials/card.toml shows one.",
        )
        return Card({}, (), ()), [fault]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Card({}, (), ()), [Fault(path.name, f"not TOML ({error})", "Mend the syntax.")]
    names = frozenset(checks)
    if faults := _misshapen(path.name, content):
        return Card({}, (), ()), faults
    faults = _undescribed(path.name, content, columns)
    if bad := _bad_rules(path.name, content, columns, names):
        return Card(content, (), ()), faults + bad
    excludes = tuple(_rule(entry, names) for entry in content.get("exclude", ()))
    remarks = tuple(_rule(entry, names) for entry in content.get("remark", ()))
    return Card(content, excludes, remarks), faults


def _rule(entry: Mapping[str, Any], checks: frozenset[str]) -> Rule:
    # A rule that does not say what it waives waives all: an excluded row harms no fit.
    waives = frozenset(entry.get("waives", checks))
    return Rule(entry["name"], entry["reason"], entry["rule"], waives)


def _meets(cells: Mapping[str, object], key: str, wanted: Any) -> bool:
    if key in cells:
        choices = wanted if isinstance(wanted, list) else [wanted]
        return any(_same(cells[key], choice) for choice in choices)
    return str(wanted) in str(cells[key.removesuffix(_CONTAINS)])


def _same(cell: object, wanted: object) -> bool:
    if isinstance(wanted, int | float):
        return number(str(cell)) == wanted
    return str(cell) == wanted


def _misshapen(file: str, content: Mapping[str, Any]) -> list[Fault]:
    faults = [
        Fault(f"{file} '{key}'", "not a table", f"Write it as a table, [{key}].")
        for key in ("columns", "sha256")
        if not isinstance(content.get(key, {}), dict)
    ]
    return faults + [
        Fault(f"{file} '{key}'", "not a list of tables with a table 'rule'", _RULE_FORM)
        for key in ("exclude", "remark")
        if not _is_rules(content.get(key, []))
    ]


def _is_rules(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("rule", {}), dict)
        and isinstance(entry.get("waives", []), list)
        for entry in entries
    )


def _undescribed(file: str, content: Mapping[str, Any], columns: Sequence[str]) -> list[Fault]:
    faults = [
        Fault(file, f"'{key}' is missing", f"State the {key} of the data, as text.")
        for key in ("title", "source", "licence")
        if not isinstance(content.get(key), str)
    ]
    described = content.get("columns", {})
    return faults + [
        Fault(
            f"{file} [columns.{name}]", "no unit or meaning", "State both (unit may be empty text)."
        )
        for name in columns
        if not {"unit", "meaning"} <= set(described.get(name, ()))
    ]


def _bad_rules(
    file: str, content: Mapping[str, Any], columns: Sequence[str], checks: frozenset[str]
) -> list[Fault]:
    entries = [(kind, e) for kind in ("exclude", "remark") for e in content.get(kind, ())]
    return [
        Fault(f"{file} [[{kind}]] '{entry.get('name', '')}'", *said)
        for kind, entry in entries
        for said in _rule_faults(entry, columns, checks)
    ]


def _rule_faults(
    entry: Mapping[str, Any], columns: Sequence[str], checks: frozenset[str]
) -> list[tuple[str, str]]:
    said = [
        (f"'{key}' is missing or empty", "A rule has a name, a reason and conditions on columns.")
        for key in ("name", "reason", "rule")
        if not entry.get(key)
    ]
    for key in entry.get("rule", ()):
        if key not in columns and key.removesuffix(_CONTAINS) not in columns:
            said.append(
                (f"'{key}' is no column", "Write COLUMN = value, or COLUMN_contains = text.")
            )
    for name in sorted(set(entry.get("waives", ())) - checks):
        said.append((f"there is no check '{name}'", f"Checks are {', '.join(sorted(checks))}."))
    return said
