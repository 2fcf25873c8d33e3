"""How the report names things and writes numbers: one place, plain words."""

from __future__ import annotations

import math
import re

from pkpd.responses import RESPONSES

ENDPOINT = "EASI75"  # the endpoint the answer is given in
ENDPOINTS = {
    "EASI_PCHG": "Mean EASI change",
    **RESPONSES,
    "EASI100": "EASI-100",
    "CONC": "Concentration",
    "EASI": "Mean EASI score",
    "EASI_CHG": "Mean EASI change, points",
    "present": "Came to the visit",
    "ENTRY": "Re-randomised",
}
ESTIMANDS = {
    "hypothetical": "hypothetical: had nobody left treatment",
    "NRI": "NRI: those who left count as failures",
    "observed": "observed: those still in the trial",
    "treatment-policy": "treatment policy: those who left are seen all the same, off the drug",
    "while-on-treatment": "while on treatment: those who left count as at their last visit",
}
KEPT = "of every 100 who would still respond on every 4 weeks"
KINDS = {"eti": "equal-tailed", "hdi": "highest-density"}
PLAIN_LAYERS = ["", "uncertainty"]  # parameter uncertainty alone
LAYERS = {
    "": "parameter uncertainty",
    "uncertainty": "parameter uncertainty",
    "variability": "spread between patients",
    "new_trial": "a new trial of the same size",
}


def endpoint_words(name: str) -> str:
    """Give back the endpoint as a clinician writes it; EASI-75 and EASI75 are one."""
    return ENDPOINTS.get(endpoint_key(name), name)


def endpoint_key(name: str) -> str:
    """Give back the endpoint as the data files write it."""
    return name.replace("-", "").replace("/", "") if name else name


def interval_words(level: float, kind: str) -> str:
    """Give back `90 % equal-tailed interval`, and say so where level or kind is not stated."""
    share = f"{100 * level:.3g}\N{NO-BREAK SPACE}%" if math.isfinite(level) else ""
    words = " ".join(part for part in (share, KINDS.get(kind.lower(), kind), "interval") if part)
    lacking = [name for name, known in (("level", share), ("kind", kind)) if not known]
    return f"{words} ({' and '.join(lacking)} not stated)" if lacking else words


def regimen_rank(name: str) -> tuple[int, float, str]:
    """Give back a sort key: by interval between doses, stop after all, unknown names last."""
    match = re.match(r"Q(\d+(?:\.\d+)?)W", name, re.IGNORECASE)
    if match:
        return (0, float(match.group(1)), name)
    return (1 if name.lower() == "stop" else 2, 0.0, name)


def number(value: float, digits: int = 3) -> str:
    """Give back a number to `digits` figures with a true minus sign; a dash where missing."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    if value == int(value) and abs(value) < 1e6:
        return minus(f"{value:.0f}")
    text = f"{value:.{digits}g}"
    return minus(f"{value:.0f}" if "e+" in text and abs(value) < 1e6 else text)


def percent(value: float) -> str:
    """Give back a proportion as a whole percentage, without the sign for percent."""
    return minus(f"{100 * value:.0f}") if math.isfinite(value) else "\N{EN DASH}"


def probability(value: float) -> str:
    """Give back a probability to two places, never a false 0 or 1."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    if value > 0.99:
        return ">\N{NO-BREAK SPACE}0.99"
    return "<\N{NO-BREAK SPACE}0.01" if value < 0.01 else f"{value:.2f}"


def minus(text: str) -> str:
    """Give back the text with a true minus sign, and no minus before zero."""
    return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")


def span(low: str, high: str) -> str:
    """Give back `low to high`, or nothing when either is missing."""
    return "" if "\N{EN DASH}" in (low, high) else f"{low} to {high}"


def listing(names: list[str]) -> str:
    """Give back names joined by commas and a last `and`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
