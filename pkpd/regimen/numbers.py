"""Numbers in a regimen's words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"


def told(value: float) -> str:
    """The shortest digits that read back to the same number, without an exponent."""
    return format(Decimal(repr(float(value))).normalize(), "f")


def listed(words: Sequence[str]) -> str:
    """`3`, `3 and 4`, `3, 4 and 5`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def of_weeks(interval: float) -> str:
    """An interval as it is written: `week`, `4 weeks`."""
    return "week" if interval == 1 else f"{told(interval)} weeks"
