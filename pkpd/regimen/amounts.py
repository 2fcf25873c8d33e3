"""How much one dose holds: an amount for all, or an amount by band of body weight."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, combinations

from pkpd.errors import ModelError
from pkpd.regimen.numbers import told


@dataclass(frozen=True)
class Band:
    """`amount` mg for patients of at least `low` and below `high` kg."""

    amount: float
    low: float = 0.0
    high: float = math.inf

    def __str__(self) -> str:
        mg = f"{told(self.amount)} mg"
        if self.low == 0:
            return f"{mg} below {told(self.high)} kg"
        if math.isinf(self.high):
            return f"{mg} from {told(self.low)} kg"
        return f"{mg} from {told(self.low)} to {told(self.high)} kg"


@dataclass(frozen=True)
class Bands:
    """Two or more bands that give every weight one amount, in order of weight."""

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.bands, key=lambda band: (band.low, band.high)))
        object.__setattr__(self, "bands", ordered)
        if faults := [*_of_each(ordered), *_between(ordered)]:
            raise ModelError(*faults)

    def __str__(self) -> str:
        return ", ".join(str(band) for band in self.bands)

    @property
    def edges(self) -> tuple[float, ...]:
        """The weights at which the amount changes, kg."""
        return tuple(band.low for band in self.bands[1:])


Amount = float | Bands


def amount_at(amount: Amount, weight: float | None) -> float:
    """Milligrams of a dose for a patient of `weight` kg."""
    if not isinstance(amount, Bands):
        return amount
    if weight is None or not 0 < weight < math.inf:
        found = "none is given" if weight is None else f"{weight:g} kg is none"
        raise ModelError(f"The dose '{amount}' depends on body weight, and {found}. State it, kg.")
    return next(band.amount for band in amount.bands if band.low <= weight < band.high)


def amount_faults(amount: Amount) -> list[str]:
    """What keeps an amount from being given, in words; bands were checked as they were made."""
    if isinstance(amount, Bands) or 0 < amount < math.inf:
        return []
    return [
        f"A dose of {amount:g} mg cannot be given: doses are above 0 mg. Write 'none' for no drug."
    ]


def ordering(amount: Amount) -> tuple[tuple[float, float], ...]:
    """What amounts are put in order by."""
    if isinstance(amount, Bands):
        return tuple((band.low, band.amount) for band in amount.bands)
    return ((0.0, amount),)


def _of_each(bands: Iterable[Band]) -> list[str]:
    faults = []
    for band in bands:
        faults += amount_faults(band.amount)
        if not 0 <= band.low < band.high:
            faults.append(
                f"No weight lies from {band.low:g} to {band.high:g} kg: give the lower weight "
                "first, from 0 on, as in '200 mg from 60 to 80 kg'."
            )
    return faults


def _between(bands: tuple[Band, ...]) -> list[str]:
    """Weights that have no amount, or two."""
    if len(bands) < 2 and (not bands or (bands[0].low, bands[0].high) == (0.0, math.inf)):
        return ["One band for all weights is no band: write the dose alone, as in '300 mg'."]
    reached = [0.0, *accumulate((band.high for band in bands), max)]
    lows = [*(band.low for band in bands), math.inf]
    faults = [_gap(end, low) for end, low in zip(reached, lows, strict=True) if end < low]
    return faults + [
        f"The bands '{lower}' and '{upper}' overlap from {upper.low:g} to "
        f"{min(lower.high, upper.high):g} kg: let one end where the other begins."
        for lower, upper in combinations(bands, 2)
        if lower.high > upper.low
    ]


def _gap(low: float, high: float) -> str:
    where = f"from {low:g} kg on" if math.isinf(high) else f"from {low:g} to {high:g} kg"
    end = f"from {low:g} kg" if math.isinf(high) else f"from {low:g} to {high:g} kg"
    end = f"below {high:g} kg" if low == 0 else end
    return f"The bands leave a gap {where}: add a dose for it, as in '300 mg {end}'."
