"""Subgroups of virtual patients: all, and those below or from a cut of weight or baseline EASI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

ALL = "all"


@dataclass(frozen=True)
class Cuts:
    """Where to split; None for the median of the virtual patients. kg, and points of EASI."""

    weight: float | None = None
    easi: float | None = None


@dataclass(frozen=True)
class Groups:
    """Names, and who belongs to each: 1 or 0 by patient."""

    names: tuple[str, ...]
    member: Float[np.ndarray, "groups patients"]

    @property
    def everybody(self) -> Groups:
        """The first group alone: all patients."""
        return Groups(self.names[:1], self.member[:1])


def groups(weight: np.ndarray, easi: np.ndarray, cuts: Cuts) -> Groups:
    """All patients, then two halves by weight, then two by baseline EASI."""
    found = {ALL: np.ones(weight.size)}
    found |= _split("weight", "kg", weight, cuts.weight)
    found |= _split("baseline EASI", "", easi, cuts.easi)
    return Groups(tuple(found), np.stack(list(found.values())))


def _split(name: str, unit: str, values: np.ndarray, cut: float | None) -> dict[str, np.ndarray]:
    """Below and from a cut; a side that nobody is on is left out."""
    at = float(np.median(values)) if cut is None else cut
    said = f"{at:.3g} {unit}".strip()
    sides = {f"{name} below {said}": values < at, f"{name} {said} or more": values >= at}
    return {side: who.astype(float) for side, who in sides.items() if who.any()}
