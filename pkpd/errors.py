"""The exceptions a caller meets, and the faults a `DataError` lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the input: where it stands, what was found, what to do."""

    where: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}. {self.remedy}"


class PkpdError(Exception):
    """The input, the model or the fit is at fault; the message says how to go on."""


class DataError(PkpdError):
    """Input refused, with every fault found and not the first alone."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"{count} fault{'s' if count != 1 else ''} in the input"
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults)]))


class ModelError(PkpdError):
    """A model, a regimen or a fit's settings do not make sense; `said` holds each fault's words."""

    def __init__(self, *said: str) -> None:
        self.said = said
        lines = [f"{len(said)} faults", *(f"  - {each}" for each in said)]
        super().__init__(said[0] if len(said) == 1 else "\n".join(lines))


class UnitError(PkpdError):
    """A unit is unknown or of the wrong kind."""


class FitError(PkpdError):
    """Sampling or solving failed in a way that no draw can mend."""


class FileFormatError(PkpdError):
    """A saved file is of a format this version does not read."""
