"""What a verb that decides has found: told question by question, with its standing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from pkpd.cli.printing import rows_of, say, say_json, say_rows

if TYPE_CHECKING:  # brings pandas, which `pkpd --help` need not wait for
    from pkpd.decision.answer import Answer

Said = tuple[str, list[dict[str, Any]], Sequence[str]]
"""A question: its heading, rows, and sentences."""


def say_answer(made: Answer, told: Iterable[Said], *, next_step: str, as_json: bool) -> None:
    """Print an answer; exit 1 where the posterior missed a demand."""
    if as_json:
        say_json({**made.to_dict(), "final": made.final, "rows": rows_of(made.table)})
    else:
        for heading, rows, sentences in told:
            say(f"{heading}\n")
            say_rows(rows)
            say("\n".join(["", *sentences, ""]))
        say("\n".join([*made.notes, f"Status: {made.status}. {next_step}"]))
    if not made.final:
        raise typer.Exit(1)
