"""The problem of the issue on speed: seven states, weekly or biweekly visits, 300 mg doses.

Model and priors are those of `tests/individual/ox40_reference.py`. Sixty patients are the stored
ones where `shared/` stands beside the checkout, with Stan's log-density and gradient; elsewhere,
and for any other number, patients are simulated from the same model by a stated seed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[1] / "individual"))
from ox40_reference import (  # noqa: E402
    FOLDER,
    MEDIANS,
    MODEL,
    NAMES,
    VARYING,
    reference_settings,
    reference_values,
    unconstrained,
)

from pkpd.data.events import read_events  # noqa: E402
from pkpd.individual.build import individual_likelihood  # noqa: E402
from pkpd.individual.problem import IndividualLikelihood  # noqa: E402
from pkpd.settings_individual import Engine  # noqa: E402

SEED, SPREAD, SIGMA_PK, SIGMA_PD = 20, 0.3, 0.2, 0.1
DOSES = (0, 14, *range(28, 141, 28))
LEVELS, SCORES = (1, 7, 14, 28, 56, 84, 112, 140, 168), tuple(range(14, 169, 14))


@dataclass(frozen=True)
class Problem:
    """A likelihood, natural values to ask it at, where they are from; what Stan says of them."""

    likelihood: IndividualLikelihood
    values: dict[str, jax.Array]
    source: str
    log_density: float | None = None
    gradient: np.ndarray | None = None

    @property
    def patients(self) -> int:
        """How many."""
        return self.likelihood.solver.design.count

    def slope(self, gradient: dict) -> np.ndarray:
        """A gradient by natural values as one by the logarithms of what is positive."""
        return unconstrained(self.values, gradient)


def sixty(tolerance: float = 1e-5) -> Problem:
    """The stored problem, or one simulated like it."""
    if not FOLDER.is_dir():
        return simulated(60, tolerance)
    settings = reference_settings().model_copy(update={"engine": Engine(tolerance=tolerance)})
    made = individual_likelihood(settings, MODEL, read_events(FOLDER / "data.csv").table)
    told = json.loads((FOLDER / "log_density.json").read_text())
    gradient = np.array(told["gradient_of_log_density_wrt_unconstrained"])
    at = reference_values(told["values"])
    return Problem(made, at, "stored data", told["log_density"], gradient)


def simulated(patients: int, tolerance: float = 1e-5) -> Problem:
    """As many patients drawn from the model at the priors' medians, effects of SD 0.3."""
    settings = reference_settings().model_copy(update={"engine": Engine(tolerance=tolerance)})
    bare = individual_likelihood(settings, MODEL, read_events(_visits(patients)).table)
    rng = np.random.default_rng(SEED)
    values = drawn(patients, rng) | {
        "concentration_lognormal": jnp.asarray(SIGMA_PK), "lesion_additive": jnp.asarray(SIGMA_PD)
    }  # fmt: skip
    seen = jax.jit(bare.fitted)(values)
    level, score = (
        np.asarray(each[n]) for each, n in zip(seen, ("concentration", "lesion"), strict=True)
    )
    noise = [rng.normal(size=level.size), rng.normal(size=score.size)]
    y = level * np.exp(SIGMA_PK * noise[0]), score + SIGMA_PD * noise[1]
    design = bare.solver.design
    streams = tuple(replace(s, y=own) for s, own in zip(design.streams, y, strict=True))
    solver = replace(bare.solver, design=replace(design, streams=streams))
    return Problem(replace(bare, solver=solver), values, f"simulated, seed {SEED}")


def drawn(patients: int, rng: np.random.Generator) -> dict[str, jax.Array]:
    """Typical values at the medians, effects of as many patients."""
    found = {name: jnp.asarray(float(m)) for name, m in zip(NAMES, MEDIANS, strict=True)}
    for name in VARYING:
        found[f"{name}_between"] = jnp.asarray(SPREAD)
        found[f"{name}_eta"] = jnp.asarray(rng.normal(size=patients))
    return found


def _visits(patients: int) -> pd.DataFrame:
    """Doses and visits of the stored data, nothing seen yet."""
    one = [(day, 300.0, 1, 1, "0", np.nan, 1) for day in DOSES]
    one += [(day, 0.0, 0, 2, "1", 1.0, 0) for day in LEVELS]
    one += [(day, 0.0, 0, 7, "2", 1.0, 0) for day in SCORES]
    return told(sorted(one, key=lambda row: (row[0], row[2], row[4])), patients)


def told(rows: list[tuple], patients: int) -> pd.DataFrame:
    """The same records of every patient, as a table of events."""
    columns = ["TIME", "AMT", "EVID", "CMT", "DVID", "DV", "MDV"]
    table = pd.DataFrame(rows, columns=columns).astype({"TIME": float})
    whole = pd.concat([table] * patients, ignore_index=True)
    whole.insert(0, "ID", np.repeat(np.arange(1, patients + 1), len(table)))
    return whole
