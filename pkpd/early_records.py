"""Records before a subject's first dose, and models that count time from that dose.

There the model's time is negative. Where neither rates nor outputs look at time while no drug is
there, that is right: the subject stands as the model begins. Where they do (a placebo response that
begins with treatment) the equations say nothing of it, and the subjects are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool

from pkpd.errors import Fault
from pkpd.mechanism.schedule import Schedule
from pkpd.model import Model

TRIED = (-1.0, -30.0)
"""Times at which a model is asked whether it looks at time."""


def early(made: Schedule) -> Bool[np.ndarray, "..."]:
    """Which records of a schedule stand before the first dose since the last reset."""
    since = np.asarray(made.time) - np.asarray(made.origin)
    return since < -1e-9 * (1 + np.abs(np.asarray(made.origin)))


def early_faults(name: str, model: Model, told: pd.DataFrame) -> list[Fault]:
    """A fault for each subject of `told`, early records that such a model is to give outputs at."""
    return [
        Fault(
            f"{name}, subject {who}",
            f"{len(own)} of its records stand before its first dose, TIME {own['TIME'].min():g} to "
            f"{own['TIME'].max():g}, and {model.name} counts time from that dose: it has no course "
            "before it",
            "Leave those records out; the course is then the model's from the first dose on",
        )
        for who, own in told.groupby("ID", sort=False)
    ]


def looks_at_time(model: Model, p: Mapping[str, Any]) -> bool:
    """Whether rates or outputs change with time before any dose, the states as they begin.

    `p` are parameters of one subject, by name, as the equations see them.
    """
    given = model.initial(p) if model.initial else {}
    x = {s: jnp.asarray(given.get(s, 0.0), float) for s in model.states}

    def seen(t: Array) -> Array:
        found = [*model.rates(t, x, p, {}).values(), *model.outputs({**x, "t": t}, p).values()]
        return jnp.stack([jnp.asarray(each, float) for each in found])

    slopes = np.array([np.asarray(jax.jacfwd(seen)(t)) for t in TRIED])
    return bool((np.nan_to_num(slopes) != 0).any())
