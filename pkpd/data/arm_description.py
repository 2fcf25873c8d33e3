"""Arm-level data in words: what there is, what is left out, what to mind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from pkpd.data.arms import Arm, ArmData
from pkpd.data.card import Rule

_HEAD = ("study", "arm", "drug", "n", "rows", "weeks", "regimen", "from")


def describe(data: ArmData) -> str:
    """A sentence, a table of the arms, one of the endpoints, and the rows left out by rule."""
    parts = [
        _sentence(data),
        _table(_HEAD, [_arm_cells(data, arm) for arm in data.arms]),
        _table(("endpoint", "statistic", "estimand", "unit", "rows"), _endpoint_cells(data)),
        "\n".join(["Left out:", *_left_out(data)]),
        *_remarks(data),
        f"Source: {data.card['source']}",
        "Next: name these data in a fit.toml and run `pkpd check FIT`.",
    ]
    return "\n\n".join(parts)


def _sentence(data: ArmData) -> str:
    drugs = sorted({arm.drug for arm in data.arms})
    studies = list(dict.fromkeys(arm.study for arm in data.arms))
    patients = sum(arm.n for arm in data.arms if arm.parent is None)
    return (
        f"{data.name}: {len(data.rows):,} rows on {len(data.arms)} arms and {patients} patients of "
        f"{', '.join(studies)} ({', '.join(drugs)}); {len(data.excluded)} more rows are left out."
    )


def _arm_cells(data: ArmData, arm: Arm) -> tuple[str, ...]:
    rows = data.rows[(data.rows["study"] == arm.study) & (data.rows["arm"] == arm.name)]
    weeks = f"{rows['week'].min():g}-{rows['week'].max():g}" if len(rows) else "-"
    origin = f"{arm.parent[1]} at week {arm.entry_week:g}" if arm.parent else ""
    head = (arm.study, arm.name, arm.drug, str(arm.n), str(len(rows)), weeks)
    return (*head, str(arm.regimen), origin)


def _endpoint_cells(data: ArmData) -> list[tuple[str, ...]]:
    keys = data.rows[["endpoint", "statistic", "estimand", "unit"]].to_numpy().tolist()
    return [(*key, str(size)) for key, size in Counter(map(tuple, keys)).items()]


def _left_out(data: ArmData) -> list[str]:
    said = []
    for entry in data.card.get("exclude", ()):
        rows = data.excluded.loc[data.excluded["rule"] == entry["name"], "row"]
        said.append(f"  {entry['name']} ({_row_list(rows)}): {entry['reason']}")
    return said or ["  nothing"]


def _remarks(data: ArmData) -> list[str]:
    said = []
    for entry in data.card.get("remark", ()):
        rule = Rule(entry["name"], entry["reason"], entry["rule"])
        records = cast("list[dict[str, Any]]", data.rows.to_dict("records"))
        rows = [row["row"] for row in records if rule.holds(row)]
        said.append(f"  {rule.name} ({_row_list(rows)}): {rule.reason}")
    return ["\n".join(["To mind:", *said])] if said else []


def _row_list(rows: Iterable[int]) -> str:
    listed = [str(row) for row in rows]
    if len(listed) > 5:
        return f"{len(listed)} rows, {listed[0]} to {listed[-1]}"
    return f"row{'s' if len(listed) != 1 else ''} {', '.join(listed)}" if listed else "no row"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = [head, *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
