"""Log-density and gradient of sixty patients over 24 weeks, 440 free numbers, at equal accuracy.

Wanted: log-density within 1e-3, gradient within 1e-4 (relative to one plus its size, in logarithms
of what is positive) of the stored values, which are Stan's at 1e-10. Where these are not, the
log-density of SciPy's DOP853 at 1e-10 and the gradient of a mesh four times finer stand for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import numpy as np
from by_diffrax import by_diffrax
from by_pymc import one_patient
from by_scipy import by_scipy
from by_stan import GRADIENTS, TIMES, gradient, installed
from sixty import Problem
from timing import Row, alternating, row, seconds

from pkpd.individual.solve import Solver

Target = tuple[float, np.ndarray]
WITHIN = 1e-3, 1e-4
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
STAN = 1e-6, 1e-8
CITED = (
    "on another machine, rtol 1e-6: Torsten rk45 0.63 s, Stan rk45 0.41 s, Stan adjoint BDF 0.28 s "
    "a gradient (cited)"
)


@dataclass(frozen=True)
class Told(Solver):
    """A solver that is told the states (R, S, N)."""

    found: np.ndarray | None = None

    def states(self, own: dict) -> tuple:
        """The states told, whatever `own` is."""
        return self.found, self.line


def density(problem: Problem, solver: Solver) -> Callable:
    """The log-density of natural values, by any solver."""
    made = replace(problem.likelihood, solver=solver)
    return lambda q: made.log_prior(q) + made.by_subject(q).sum()


def scipys(problem: Problem, tolerance: float, method: str) -> float:
    """The log-density with the states of SciPy."""
    fit, at = problem.likelihood, problem.values
    own = fit.own(at)
    states = by_scipy(fit.solver, own, range(problem.patients), tolerance, method)
    told = Told(fit.solver.model, fit.solver.design, fit.solver.line, found=states)
    return float(density(problem, told)(at))


def wanted(problem: Problem) -> tuple[float, np.ndarray, str]:
    """Log-density and gradient to be met, and whose they are."""
    if problem.log_density is not None and problem.gradient is not None:
        return problem.log_density, problem.gradient, "Stan at 1e-10"
    tight = problem.likelihood.tightened().solver
    slope = jax.jit(jax.grad(density(problem, tight)))(problem.values)
    told = "SciPy DOP853 at 1e-10 and our finer mesh"
    return scipys(problem, 1e-10, "DOP853"), problem.slope(slope), told


def gradient_rows(problem: Problem, repeats: int, *, slow: bool) -> list[Row]:
    """Ours beside diffrax and SciPy (log-density alone); if `slow`, Stan and PyMC, too."""
    at, solver = problem.values, problem.likelihood.solver
    value, slope, whose = wanted(problem)
    both = jax.jit(jax.value_and_grad(density(problem, solver)))
    rival = jax.jit(jax.value_and_grad(lambda q, t: density(problem, by_diffrax(solver, t))(q)))

    def off(found: tuple) -> tuple[float, float]:
        return _errors(float(found[0]), problem.slope(found[1]), (value, slope))

    tolerance = _loosest(lambda t: off(rival(at, t)))
    mine, other = alternating(lambda: both(at), lambda: rival(at, tolerance), repeats)
    note = f"{problem.patients} patients, {problem.likelihood.space.size} numbers, "
    note += f"{problem.source}, {solver.cut.step.size} parts; {CITED}"
    accuracy = f"log-density and gradient against {whose}: ours {_shown(off(both(at)))}, "
    rows = [row(
        "individual gradient", mine, other,
        f"diffrax Tsit5, tolerance {tolerance:g}, RecursiveCheckpointAdjoint",
        accuracy + f"rival {_shown(off(rival(at, tolerance)))}", note,
    )]  # fmt: skip
    half = jax.jit(jax.value_and_grad(density(problem, replace(solver, single=True))))
    single, double = alternating(lambda: half(at), lambda: both(at), repeats)
    rows.append(row(
        "individual gradient, float32", single, double, "ours in float64",
        f"{accuracy}in float32 {_shown(off(half(at)))}", note,
    ))  # fmt: skip
    rows.append(_forward(problem, value, repeats))
    if not slow:
        return rows
    stans = _stans(problem, lambda: both(at), (value, slope)) if installed() else []
    return [*rows, *stans, _pymc(problem, mine)]


def _errors(value: float, slope: np.ndarray, target: Target) -> tuple[float, float]:
    """How far a log-density is off; a gradient's worst number, by one plus its size."""
    away = np.abs(slope - target[1]) / (1 + np.abs(target[1]))
    return abs(value - target[0]), float(away.max())


def _stans(problem: Problem, ours: Callable, target: Target) -> list[Row]:
    """Beside Stan's own solvers; the gradient comes with the log-density there, too."""
    found, rows = ours(), []
    own = _errors(float(found[0]), problem.slope(found[1]), target)
    for method in GRADIENTS:
        before = seconds(ours, TIMES)
        other, value, slope = gradient(problem, method, *STAN)
        mine = (before + seconds(ours, TIMES)) / 2
        theirs = _errors(value, slope, target)
        rows.append(row(
            f"individual gradient, Stan {method}", mine, other, "Stan, rtol 1e-6, atol 1e-8",
            f"log-density and gradient: ours {_shown(own)}, rival {_shown(theirs)}",
            f"{problem.patients} patients, {problem.source}; Stan in a process of its own, ours "
            f"timed before and after; {CITED}",
        ))  # fmt: skip
    return rows


def _forward(problem: Problem, value: float, repeats: int) -> Row:
    ours = jax.jit(density(problem, problem.likelihood.solver))
    at = problem.values
    theirs = lambda: scipys(problem, 1e-6, "LSODA")  # noqa: E731
    mine, other = alternating(lambda: ours(at), theirs, min(repeats, 3))
    errors = abs(float(ours(at)) - value), abs(theirs() - value)
    return row(
        "individual log-density", mine, other, "SciPy LSODA, rtol 1e-6, no gradient",
        f"log-density: ours {errors[0]:.1e}, rival {errors[1]:.1e}",
        f"{problem.patients} patients, {problem.source}",
    )  # fmt: skip


def _pymc(problem: Problem, mine: float) -> Row:
    call, error = one_patient(problem)
    taken = seconds(call, 1) * problem.patients
    return row(
        "individual gradient, PyMC", mine, taken, "PyMC's DifferentialEquation, default tolerance",
        f"one patient's log-likelihood beside ours: {error:.1e}",
        f"one patient timed, times {problem.patients}: nothing is shared between patients there",
    )  # fmt: skip


def _loosest(off: Callable) -> float:
    """The loosest tolerance that is as accurate as wanted; the tightest if none is."""
    for tolerance in TOLERANCES:
        if all(error <= most for error, most in zip(off(tolerance), WITHIN, strict=True)):
            break
    return tolerance


def _shown(errors: tuple[float, float]) -> str:
    return f"{errors[0]:.1e} and {errors[1]:.1e}"
