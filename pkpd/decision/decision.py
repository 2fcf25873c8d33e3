"""A decision as a value: its table, what was asked, and whether the posterior may be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.told import sentences

FINAL = "final"


@dataclass(frozen=True)
class Decision:
    """The rows of decide.csv, and what they rest on.

    `status` is `FINAL`, or says why the posterior may not be reported as final; `notes` say what
    could not be computed, `record` what was used: draws by model, stacking weights, Pareto k.
    """

    table: pd.DataFrame
    asked: DecisionAsked
    status: str
    notes: tuple[str, ...]
    record: Mapping[str, Any]

    @property
    def final(self) -> bool:
        """Whether the posterior met every demand."""
        return self.status == FINAL

    def to_dict(self) -> dict[str, Any]:
        """What the card keeps of it: everything but the table."""
        asked = {**asdict(self.asked), "loss": self.asked.loss.model_dump()}
        return {"status": self.status, "asked": asked, "notes": list(self.notes), **self.record}

    def __str__(self) -> str:
        lines = [*sentences(self.table), *self.notes, f"Status: {self.status}."]
        return "\n".join(lines)
