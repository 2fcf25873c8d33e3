"""A decision as a value: its table, what was asked, and whether the posterior may be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pkpd.decision.answer import Answer
from pkpd.decision.asked import DecisionAsked
from pkpd.decision.told import sentences


@dataclass(frozen=True)
class Decision(Answer):
    """The rows of decisions.csv, and what they rest on."""

    asked: DecisionAsked

    def to_dict(self) -> dict[str, Any]:
        """What the card keeps of it: everything but the table."""
        told = super().to_dict()
        return {**told, "asked": {**told["asked"], "loss": self.asked.loss.model_dump()}}

    def __str__(self) -> str:
        lines = [*sentences(self.table), *self.notes, f"Status: {self.status}."]
        return "\n".join(lines)
