"""Tables that hold an individual-level fit against its data: goodness of fit, effects, VPC."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats
from jaxtyping import Float
from scipy.special import ndtri

from pkpd.diagnosis.solver import SolverProof
from pkpd.individual.design import Stream
from pkpd.individual.own import FROM, TO, random_effects, typical
from pkpd.individual.problem import IndividualLikelihood

Draws = dict[str, np.ndarray]
INDIVIDUALS = ("subject", "parameter", "mean", "lower", "upper", "level", "kind", "shrinkage")


def place(likelihood: IndividualLikelihood, stream: Stream) -> pd.DataFrame:
    """Subject, arm, time, output, value, censoring and limit of each row of an observation."""
    design = likelihood.solver.design
    own = design.table.iloc[stream.row]
    arm = own["ARM"].astype(str).to_numpy() if "ARM" in own.columns else ""
    below = np.where(np.isin(stream.kind, (1, 2)), 1, stream.kind)
    known = stream.y[below == 1]
    return pd.DataFrame(
        {
            "subject": own["ID"].astype(str).to_numpy(),
            "arm": arm,
            "time": own["TIME"].to_numpy(float),
            "output": stream.observation.label,
            "outcome": stream.observation.outcome,
            "value": stream.y,
            "censored": below,
            "limit": np.where(below == 1, stream.y, known.max() if known.size else np.nan),
        }
    )


def goodness(
    likelihood: IndividualLikelihood,
    stream: Stream,
    fitted: np.ndarray,
    simulated: np.ndarray,
    pred: np.ndarray,
    *,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """gof.csv of one observation: each row beside its fit; see docs/fit-folder.md.

    `fitted` are expected values and `simulated` new observations of the same subject, by draw.
    """
    table = place(likelihood, stream)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(fitted, tails, axis=0)
    lower, upper = np.quantile(simulated, tails, axis=0)
    y, below = table["value"].to_numpy(), table["censored"].to_numpy()
    inside = np.where(below == 1, lower <= y, np.where(below == -1, upper >= y,
                                                       (lower <= y) & (y <= upper)))  # fmt: skip
    found = {
        "observed": y,
        "pred": pred,
        "ipred": fitted.mean(axis=0),
        "ipred_lower": low,
        "ipred_upper": high,
        "lower": lower,
        "upper": upper,
        "level": level,
        "kind": "eti",
        "inside": inside,
        "covered": covered(y, below, simulated, level),
        "residual": _quantile_residual(y, below, simulated, seed),
    }
    return table.drop(columns=["value", "limit"]).assign(**found)


def covered(
    y: np.ndarray, below: np.ndarray, simulated: np.ndarray, level: float
) -> Float[np.ndarray, " n"]:
    """How much of each observation lies in the middle `level` of its law, 0 to 1.

    Where a law has steps (scores, zeros, censoring) the ends of an interval fall on one, and an
    interval that holds it whole holds more than it says. Here an observation counts by the share
    of its own step that lies within (the probability integral transform not randomised: Czado,
    Gneiting and Held 2009, Biometrics 65:1254), on average `level` where the law is right.
    `simulated` (draws, n); `below` 1 where y is an upper limit, -1 where it is a lower one.
    """
    start, width = _step(y, below, simulated)
    low, high = (1 - level) / 2, (1 + level) / 2
    within = np.minimum(start + width, high) - np.maximum(start, low)
    held = np.where(width > 0, within / np.where(width > 0, width, 1), within >= 0)
    return np.clip(held, 0.0, 1.0)


def _step(y: np.ndarray, below: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Where the step of each observation's distribution begins, and its height, shape (2, n)."""
    less, same = (simulated < y).mean(axis=0), (simulated == y).mean(axis=0)
    start = np.where(below == 1, 0.0, less)
    return np.array([start, np.where(below == 1, less, np.where(below == -1, 1 - less, same))])


def _quantile_residual(
    y: np.ndarray, below: np.ndarray, simulated: np.ndarray, seed: int
) -> np.ndarray:
    """Normal score of the observation among simulated ones; ties and censoring at random."""
    chance = np.random.default_rng(seed).random(y.size)
    start, width = _step(y, below, simulated)
    share = start + chance * width
    edge = 0.5 / (len(simulated) + 1)
    return ndtri(np.clip(share, edge, 1 - edge))


def individuals(
    likelihood: IndividualLikelihood, draws: Draws, shrinkage: dict[str, float], *, level: float
) -> pd.DataFrame:
    """individuals.csv: each subject's own value of each parameter that varies, without covariates.

    `shrinkage` is the mean posterior variance of the effects over their prior's.
    """

    @jax.jit
    def own(values: dict) -> dict:
        effects = random_effects(likelihood.made, likelihood.tied, values)
        found = {}
        for each in likelihood.made:
            if each.name in effects:
                scale = each.parameter.scale
                middle = TO[scale](jnp.asarray(typical(each, values), float))
                found[each.name] = FROM[scale](middle + effects[each.name])
        return found

    found = jax.vmap(own)({name: jnp.asarray(value) for name, value in draws.items()})
    tails = [(1 - level) / 2, (1 + level) / 2]
    tables = []
    for name, value in found.items():
        lower, upper = np.quantile(np.asarray(value), tails, axis=0)
        columns = {
            "subject": likelihood.solver.design.subjects,
            "parameter": name,
            "mean": np.asarray(value).mean(axis=0),
            "lower": lower,
            "upper": upper,
            "level": level,
            "kind": "eti",
            "shrinkage": shrinkage.get(name, np.nan),
        }
        tables.append(pd.DataFrame(columns))
    empty = pd.DataFrame(columns=list(INDIVIDUALS))
    return pd.concat(tables, ignore_index=True) if tables else empty


def prove_mesh(
    planned: IndividualLikelihood,
    tight: IndividualLikelihood,
    draws: Draws,
    progress: Callable[[float], None],
    known: np.ndarray | None = None,
) -> SolverProof:
    """Pareto-k of draws made on the planned mesh against those of a mesh four times finer.

    `known` are the log-likelihoods that the draws were made by, where these were no solves.
    """
    rough = jax.jit(lambda v: planned.by_subject(v).sum())
    fine = jax.jit(lambda v: tight.by_subject(v).sum())
    count = len(next(iter(draws.values())))
    ratios = []
    for k in range(count):
        values = {name: jnp.asarray(value[k]) for name, value in draws.items()}
        walked = rough(values) if known is None else known[k]
        ratios.append(float(fine(values) - walked))
        progress((k + 1) / count)
    ratio = np.array(ratios)
    shift = float(np.abs(ratio - ratio.mean()).max())
    if np.ptp(ratio) < 1e-9:
        return SolverProof(0.0, shift)
    _, k = array_stats.psislw(ratio.max() - ratio)  # ArviZ negates what it is given
    return SolverProof(float(k), shift)
