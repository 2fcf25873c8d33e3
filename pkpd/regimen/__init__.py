"""Dosing regimens as values: words on one side, doses on the other."""

from pkpd.regimen.amounts import Band, Bands
from pkpd.regimen.changes import Missed, Moved
from pkpd.regimen.clauses import Every, Once
from pkpd.regimen.rules import Rule
from pkpd.regimen.value import Dose, Regimen, regimen

__all__ = [
    "Band",
    "Bands",
    "Dose",
    "Every",
    "Missed",
    "Moved",
    "Once",
    "Regimen",
    "Rule",
    "regimen",
]
