"""What becomes of a dose, by compartment: share that arrives, delay, modelled rate, duration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pkpd.model import DOSING


def dosing_value(p: Mapping[str, Any], *, dosing: Mapping[str, str], role: str, state: str) -> Any:
    """The individual's `f`, `lag`, `rate` or `dur` of a compartment, as in `f_depot`.

    `p` may hold it under that name, or under the model's own name for it (`Model.dosing`);
    else the default of the role.
    """
    name = f"{role}_{state}"
    return p.get(name, p.get(dosing.get(name, name), DOSING[role]))
