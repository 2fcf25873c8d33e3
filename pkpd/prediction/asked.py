"""One regimen asked about, in the user's own words: checked where it is answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A drug and regimen, the weeks, endpoint and estimand that are wanted of it.

    With `new_trial` = n, the answer is for a trial not yet seen, of n patients an arm.
    """

    drug: str
    regimen: str
    weeks: tuple[float, ...]
    endpoint: str
    estimand: str
    new_trial: int | None = None
