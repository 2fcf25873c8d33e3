"""All checks of `data.csv`, by name; each looks at one thing and gives back the faults it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pkpd.data.arm_count_checks import (
    check_counts,
    check_duplicates,
    check_percentages,
    check_sizes,
    check_thresholds,
)
from pkpd.data.arm_number_checks import (
    check_bounds,
    check_complete,
    check_doses,
    check_numbers,
    check_spreads,
    check_weeks,
)
from pkpd.data.arm_table import Arms, Lines
from pkpd.data.arm_word_checks import check_arms, check_drugs, check_units, check_words
from pkpd.data.arm_words import DATA_NUMBERS, KEY
from pkpd.errors import Fault

Check = Callable[[Lines, Arms], list[Fault]]

ARMS_FILE = "arms.csv"
_IN_ARM = ("study", "arm", ARMS_FILE)
# Each check with the columns it cannot do without, and arms.csv where it needs that file whole.
CHECKS: Mapping[str, tuple[Check, tuple[str, ...]]] = {
    "arms": (check_arms, _IN_ARM),
    "drugs": (check_drugs, (*_IN_ARM, "drug")),
    "words": (check_words, ("endpoint", "statistic", "estimand", "spread")),
    "units": (check_units, ("endpoint", "unit")),
    "numbers": (check_numbers, ()),
    "weeks": (check_weeks, ("week",)),
    "doses": (check_doses, ("dose_mg", "interval_weeks")),
    "complete": (
        check_complete,
        ("statistic", "spread", *(set(DATA_NUMBERS) - {"dose_mg", "interval_weeks", "week"})),
    ),
    "spreads": (check_spreads, ("spread", "spread_value", "spread_low", "spread_high")),
    "bounds": (check_bounds, ("endpoint", "value", "unit")),
    "counts": (check_counts, ()),
    "percentages": (
        check_percentages,
        ("endpoint", "statistic", "value", "unit", "count", "denominator"),
    ),
    "thresholds": (check_thresholds, ("study", "arm", "week", "endpoint", "estimand", "count")),
    "sizes": (check_sizes, _IN_ARM),
    "duplicates": (check_duplicates, KEY),
}


def check_all(
    lines: Lines, arms: Arms, columns: Iterable[str], waived: Mapping[int, frozenset[str]]
) -> list[Fault]:
    """Every fault of every check that the columns at hand allow, in order of rows.

    `waived` gives, by row, the checks an exclusion rule frees the row from.
    """
    present = set(columns)
    faults: list[Fault] = []
    for name, (check, needs) in CHECKS.items():
        if present.issuperset(needs):
            held = [line for line in lines if name not in waived.get(line.row, ())]
            faults += check(held, arms)
    order = {line.fault("", "").where: line.row for line in lines}
    return sorted(faults, key=lambda fault: order.get(fault.where, 0))
