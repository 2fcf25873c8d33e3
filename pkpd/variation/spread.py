"""How much something varies, always with the kind of the figure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Sd:
    """A standard deviation on the scale of the random effect."""

    value: float

    @property
    def sd(self) -> float:
        """The standard deviation itself."""
        return self.value


@dataclass(frozen=True)
class Variance:
    """A variance on the scale of the random effect (NONMEM's omega squared)."""

    value: float

    @property
    def sd(self) -> float:
        """The square root of the variance."""
        return math.sqrt(self.value)


@dataclass(frozen=True)
class Cv:
    """A coefficient of variation of a log-normal quantity, as a fraction."""

    value: float

    @property
    def sd(self) -> float:
        """The standard deviation of the logarithm."""
        return math.sqrt(math.log1p(self.value**2))


Spread = Sd | Variance | Cv
