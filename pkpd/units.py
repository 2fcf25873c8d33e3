"""Units as people write them, and the one place where a number changes unit."""

from __future__ import annotations

import difflib
import functools
import re
from tokenize import TokenError

import numpy as np
import pint

from pkpd.errors import UnitError

# Our own short list, not pint's hundreds: every unit that is understood can be named in a message.
_DEFINITIONS = """
nano- = 1e-9 = n-
micro- = 1e-6 = u- = µ- = μ- = mc-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
deci- = 1e-1 = d-
kilo- = 1e3 = k-
pico- = 1e-12 = p-
gram = [mass] = g
metre = [length] = m = meter
litre = 0.001 * metre ** 3 = L = l = liter
mole = [substance] = mol
molar = mole / litre = M
day = [time] = d
hour = day / 24 = h = hr
minute = hour / 60 = min
second = minute / 60 = s = sec
week = 7 * day = wk
year = 365.25 * day = yr
fraction = []
percent = 0.01
score = [score] = point
event = [event]
patient_year = [patient_time]
unit = [activity] = U = IU
"""

_KINDS = {
    "amount of drug": ("mg", "g", "ug", "ng"),
    "concentration": ("mg/L", "ug/mL", "ng/mL", "mg/mL"),
    "time": ("days", "weeks", "hours", "years"),
    "proportion": ("%", "fraction"),
    "score": ("score",),
    "rate": ("events per patient-year",),
    "volume": ("L", "mL"),
    "clearance": ("L/day", "L/h", "mL/min"),
    "rate constant": ("1/day", "1/week", "1/h"),
}

_ALLOWED = re.compile(r"[\w%*/^.() µμ²³]+")


def convert[Number: (float, np.ndarray)](value: Number, from_unit: str, to_unit: str) -> Number:
    """`value` (a number or an array) of `from_unit`, told in `to_unit`.

    Raises
    ------
    UnitError
        If a unit is unknown or the two are not of one kind.

    Examples
    --------
    >>> convert(1500.0, "ng/mL", "mg/L")
    1.5
    """
    return value * factor(from_unit, to_unit)


@functools.cache
def factor(from_unit: str, to_unit: str) -> float:
    """What a number in `from_unit` is multiplied by to be one in `to_unit`."""
    source, target = _parsed(from_unit), _parsed(to_unit)
    if source.dimensionality != target.dimensionality:
        raise UnitError(
            f"'{from_unit}' cannot be told in '{to_unit}': they are not of one kind. "
            f"Units that can: {', '.join(_alternatives(target))}."
        )
    # Fifteen digits: 1 ug/mL is then 1 mg/L and not 1.0000000000000002.
    return float(f"{_registry().convert(1.0, source, target):.15g}")


def known_units() -> tuple[str, ...]:
    """The units most often meant, by kind; others are built from them (`mg/kg/day`)."""
    return tuple(unit for units in _KINDS.values() for unit in units)


@functools.cache
def _registry() -> pint.UnitRegistry:
    registry = pint.UnitRegistry(None)
    registry.load_definitions(_DEFINITIONS.strip().splitlines())
    return registry


# What Pint raises at text that is no unit: of its own, and of the arithmetic it tries, as in "0/0".
_UNREADABLE = (
    pint.PintError, ArithmeticError, ValueError, TypeError, AttributeError, TokenError, SyntaxError,
)  # fmt: skip


def _parsed(text: str) -> pint.Unit:
    plain = text.strip().replace("%", "percent")
    plain = re.sub(r"patient[- ]years?", "patient_year", plain)
    if not plain or not _ALLOWED.fullmatch(plain):
        raise UnitError(_unknown(text))
    try:
        return _registry().parse_units(plain)
    except _UNREADABLE:
        raise UnitError(_unknown(text)) from None


def _unknown(text: str) -> str:
    near = difflib.get_close_matches(text.lower(), known_units(), n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"The unit '{text}' is not known.{hint} Known units: {', '.join(known_units())}."


def _alternatives(target: pint.Unit) -> list[str]:
    same = [u for u in known_units() if _parsed(u).dimensionality == target.dimensionality]
    return same or [f"{target}"]
