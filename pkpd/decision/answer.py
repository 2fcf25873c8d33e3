"""What every verb that decides gives back: a table, and whether the posterior may be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

FINAL = "final"


@dataclass(frozen=True)
class Answer:
    """The rows of the verb's file, and what they rest on.

    `status` is `FINAL`, or says why the posterior may not be reported as final; `notes` say what
    could not be computed, `record` what was used: draws by model, stacking weights, Pareto k.
    """

    table: pd.DataFrame
    asked: Any
    status: str
    notes: tuple[str, ...]
    record: Mapping[str, Any]

    @property
    def final(self) -> bool:
        """Whether the posterior met every demand."""
        return self.status == FINAL

    def to_dict(self) -> dict[str, Any]:
        """What the card keeps of it: everything but the table."""
        told = {"status": self.status, "asked": asdict(self.asked), "notes": list(self.notes)}
        return {**told, **self.record}
