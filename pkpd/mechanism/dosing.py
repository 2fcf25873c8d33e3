"""What becomes of a dose: the share that arrives and the delay, by compartment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS = {"f": 1.0, "lag": 0.0}


def dosing_value(p: Mapping[str, Any], *, dosing: Mapping[str, str], role: str, state: str) -> Any:
    """The individual's `f` or `lag` of a compartment, as in `f_depot`.

    `p` may hold it under that name, or under the model's own name for it (`Model.dosing`);
    1 or 0 where there is neither.
    """
    name = f"{role}_{state}"
    return p.get(name, p.get(dosing.get(name, name), DEFAULTS[role]))
