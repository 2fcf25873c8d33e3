"""The reference problem that stands beside the checkout: 60 simulated patients, seven states.

Its README states model and priors; `log_density.json` holds Stan's log-density and gradient.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Choice, IndividualSettings, Observation

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "ox40_reference"
NAMES = ("cl", "v1", "q", "v2", "ka", "vmax", "km", "kd", "kdep", "kout", "pm")
MEDIANS = (0.25, 3, 0.5, 2.5, 0.25, 2, 1, 2, 0.3, 0.05, 0.008)
VARYING = ("cl", "v1", "ka", "vmax", "kd", "kdep", "kout")


def rates(t, x, p, u):
    level = x["central"] / p["v1"]
    occupied = level / (level + p["kd"])
    absorbed, exchanged = p["ka"] * x["depot"], p["q"] * (level - x["peripheral"] / p["v2"])
    lost = p["cl"] * level + p["vmax"] * level / (p["km"] + level)
    e, m, r, s = (x[name] for name in ("effector", "memory", "regulatory", "lesions"))
    return {
        "depot": -absorbed,
        "central": absorbed - lost - exchanged,
        "peripheral": exchanged,
        "effector": 0.02 + 0.08 * m * (1 - occupied) - (0.1 + p["kdep"] * occupied) * e,
        "memory": p["pm"] * e - 0.01 * m,
        "regulatory": 0.05 * (1 + 0.5 * occupied) - 0.05 * r,
        "lesions": 0.05 * e / r - p["kout"] * s,
    }


def _initial(p):
    zero, one = 0.0 * p["v1"], 1.0 + 0.0 * p["v1"]
    return {"depot": zero, "central": zero, "peripheral": zero, "effector": one,
            "memory": 0.8 * one, "regulatory": one, "lesions": one}  # fmt: skip


MODEL = Model(
    name="reference",
    title="Reference problem",
    summary="For tests",
    parameters=tuple(
        Parameter(n, m, "1", n, reason="of the reference problem")
        for n, m in zip(NAMES, MEDIANS, strict=True)
    ),
    states=("depot", "central", "peripheral", "effector", "memory", "regulatory", "lesions"),
    rates=rates,
    outputs=lambda x, p: {"concentration": x["central"] / p["v1"], "lesion": x["lesions"]},
    units={"time": "d", "concentration": "mg/L", "lesion": "1"},
    initial=_initial,
    kind="pkpd",
    doses_into=("depot",),
)


def reference_settings():
    """Outcomes and priors of the reference problem."""
    chosen = {
        name: Choice(median=median, sd=0.5, between=0.5 if name in VARYING else 0.0)
        for name, median in zip(NAMES, MEDIANS, strict=True)
    }
    return IndividualSettings(
        name="reference",
        title="reference",
        model="reference",
        data="reference",
        observations=(
            Observation(output="concentration", dvid="1", error="lognormal",
                        priors={"lognormal": 0.5}),
            Observation(output="lesion", dvid="2", error="additive", priors={"additive": 0.2}),
        ),
        parameters=chosen | {"f_depot": Choice(fixed=0.7)},
    )  # fmt: skip


def reference_likelihood():
    """The likelihood of the reference problem."""
    table = read_events(FOLDER / "data.csv").table
    return individual_likelihood(reference_settings(), MODEL, table)


def reference_values(told):
    """Stan's point under our names."""
    found = dict(zip(NAMES, told["pop"], strict=True))
    for name, sd, eta in zip(VARYING, told["omega"], told["eta"], strict=True):
        found |= {f"{name}_between": sd, f"{name}_eta": np.array(eta)}
    found |= {"concentration_lognormal": told["sigma_pk"], "lesion_additive": told["sigma_pd"]}
    return {name: jnp.asarray(value, float) for name, value in found.items()}


def unconstrained(at, slope):
    """A gradient in Stan's order and coordinates: logs, then effects by subject."""
    between = [f"{name}_between" for name in VARYING]
    logs = [*NAMES, *between, "concentration_lognormal", "lesion_additive"]
    effects = np.stack([slope[f"{name}_eta"] for name in VARYING])
    return np.concatenate([[at[n] * slope[n] for n in logs], effects.ravel("F")])
