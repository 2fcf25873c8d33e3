"""A thousand patients over two years: 300 mg every 28 days, seen every week, no derivatives.

Wanted: the largest relative error of concentration and lesions over all patients and weeks at most
1e-5, beside diffrax's Dopri8 at 1e-10 for the same patients. The mesh is planned at the medians and
at draws of the effects, not at the patients themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from by_diffrax import by_diffrax
from by_scipy import by_scipy
from by_stan import FORWARD, by_stan, installed
from sixty import MODEL, SEED, drawn, reference_settings, told
from timing import Row, alternating, row, seconds

from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.individual.solve import Solver
from pkpd.settings_individual import Engine

WITHIN = 1e-5
TOLERANCES = (1e-5, 1e-6, 1e-7, 1e-8)
FEW = 10
CITED = "on another machine: rxode2 0.57 s, mrgsolve 0.75 s, hand-written C 0.04 s (cited)"


@dataclass(frozen=True)
class Cohort:
    """A solver with its mesh, every patient's parameters, whence they are, what planning took."""

    solver: Solver
    own: dict[str, jax.Array]
    values: dict[str, jax.Array]
    planning: float


def cohort(patients: int, weeks: int, tolerance: float) -> Cohort:
    """The cohort, its effects drawn by the seed."""
    began = time.process_time()
    rows = [(7.0 * w, 0.0, 0, 2, "1", 1.0, 0) for w in range(weeks + 1)]
    rows += [(7.0 * w, 0.0, 0, 7, "2", 1.0, 0) for w in range(1)]
    rows += [(day, 300.0, 1, 1, "0", np.nan, 1) for day in range(0, 7 * weeks, 28)]
    rows.sort(key=lambda each: (each[0], -each[2]))
    settings = reference_settings().model_copy(update={"engine": Engine(tolerance=tolerance)})
    fit = individual_likelihood(settings, MODEL, read_events(told(rows, patients)).table)
    values = drawn(patients, np.random.default_rng(SEED))
    return Cohort(fit.solver, fit.own(values), values, time.process_time() - began)


def outputs(solver: Solver) -> Callable:
    """Parameters -> concentration and lesions at all weeks, (2, R, N), compiled."""

    def shown(own: dict) -> jax.Array:
        found = solver.outputs(own)
        return jnp.stack([found["concentration"], found["lesion"]])

    return jax.jit(shown)


def cohort_rows(
    patients: int, weeks: int, tolerance: float, repeats: int, *, slow: bool
) -> list[Row]:
    """Ours beside diffrax for all, beside SciPy for a few patients; if `slow`, beside Stan."""
    made = cohort(patients, weeks, tolerance)
    solver, own = made.solver, made.own
    ours = outputs(solver)
    theirs = jax.jit(lambda own, t: _stacked(by_diffrax(solver, t).outputs(own)))
    tight = outputs(by_diffrax(solver, 1e-10, diffrax.Dopri8()))(own)
    chosen = next((t for t in TOLERANCES if _off(theirs(own, t), tight) <= WITHIN), TOLERANCES[-1])
    mine, other = alternating(lambda: ours(own), lambda: theirs(own, chosen), repeats)
    assert solver.cut is not None
    note = f"{patients:,} patients, {weeks} weeks, {solver.cut.step.size} parts, planned at "
    note += f"{tolerance:g} in {made.planning:.0f} CPU s; {CITED}"
    accuracy = f"largest relative error: ours {_off(ours(own), tight):.1e}, rival "
    rows = [row(
        "forward cohort", mine, other, f"diffrax Tsit5, tolerance {chosen:g}",
        f"{accuracy}{_off(theirs(own, chosen), tight):.1e}", note,
    )]  # fmt: skip
    half = outputs(replace(solver, single=True))
    single, double = alternating(lambda: half(own), lambda: ours(own), repeats)
    rows.append(row(
        "forward cohort, float32", single, double, "ours in float64",
        f"{accuracy.removesuffix('rival ')}in float32 {_off(half(own), tight):.1e}", note,
    ))  # fmt: skip
    rows.append(_scipy(made, mine, tight, accuracy, min(FEW, patients)))
    return [*rows, *_stans(made, {"": ours, ", float32": half}, tight)] if slow else rows


def _stans(made: Cohort, ours: dict[str, Callable], tight: jax.Array) -> list[Row]:
    """Beside Stan's own solvers without derivatives, at the loosest tolerance that is accurate."""
    if not installed():
        return []
    stan, rows = by_stan(made.solver.design, made.values), []
    schedule = made.solver.design.schedule
    clock = np.asarray(schedule.time)[0] - np.asarray(schedule.origin)[0]
    few = tight[:, np.searchsorted(clock, stan.data["times"], side="right") - 1]
    for method in FORWARD:
        for chosen in TOLERANCES:
            error = _off(stan.courses(method, chosen, chosen / 100), few)
            if error <= WITHIN:
                break
        call = lambda how=method, t=chosen: stan.courses(how, t, t / 100)  # noqa: E731
        for precision, solve in ours.items():
            mine, other = alternating(lambda solve=solve: solve(made.own), call, 5)
            rows.append(row(
                f"forward cohort{precision}, Stan {method}", mine, other, f"Stan, rtol {chosen:g}",
                f"largest relative error: ours {_off(solve(made.own), tight):.1e}, rival "
                f"{error:.1e}", f"by PyStan, in this process; {CITED}",
            ))  # fmt: skip
    return rows


def _scipy(made: Cohort, mine: float, tight: jax.Array, accuracy: str, few: int) -> Row:
    solver, own, patients = made.solver, made.own, made.solver.design.count
    taken = seconds(lambda: by_scipy(solver, own, range(few), 1e-7), 1) * patients / few
    states = by_scipy(solver, own, range(few), 1e-7)
    v1 = np.broadcast_to(np.asarray(own["v1"]), (1, patients))[:, :few]
    found = np.stack([states[:, 1] / v1, states[:, 6]])
    return row(
        "forward cohort, SciPy", mine, taken, "SciPy LSODA, rtol 1e-7",
        f"{accuracy}{_off(found, tight[..., :few]):.1e}",
        f"{few} patients timed, their time per patient times {patients:,}",
    )  # fmt: skip


def _stacked(found: dict) -> jax.Array:
    return jnp.stack([found["concentration"], found["lesion"]])


def _off(found: jax.Array | np.ndarray, tight: jax.Array) -> float:
    seen = np.asarray(tight) > 0  # before the first dose there is no concentration
    found, tight = np.asarray(found)[seen], np.asarray(tight)[seen]
    return float(np.abs(found / tight - 1).max())
