"""The rival in PyMC alone: `DifferentialEquation`, SciPy's odeint with forward sensitivities.

It knows no doses, so one patient is a chain of solves from dose to dose, each beginning where the
last one ended plus the dose.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from by_diffrax import intervals
from pymc.ode import DifferentialEquation
from sixty import MODEL, NAMES, Problem

MODE = "CVM"
"""PyTensor's C code: by Numba, its default, compiling did not end in eight minutes."""


def slopes(x, t, p) -> list:
    """The model's own equations, told to PyTensor."""
    named = dict(zip(MODEL.states, [x[k] for k in range(len(MODEL.states))], strict=True))
    found = MODEL.rates(
        t, named, dict(zip(NAMES, [p[k] for k in range(len(NAMES))], strict=True)), {}
    )
    return [found[name] for name in MODEL.states]


def one_patient(problem: Problem, who: int = 0) -> tuple[Callable, float]:
    """A call for one patient's log-likelihood with its gradient, and its error beside ours."""
    fit, at = problem.likelihood, problem.values
    own = fit.own(at)
    wide = [float(np.broadcast_to(own[name], (1, problem.patients))[0, who]) for name in NAMES]
    p = pt.dvector("p")
    with pytensor.config.change_flags(mode=MODE):
        value = _log_likelihood(problem, _states(problem, p, wide), p, who)
        call = pytensor.function([p], [value, pytensor.grad(value, p)])
    ours = float(jax.jit(fit.by_subject)(at)[who])
    return lambda: call(wide), abs(float(call(wide)[0]) - ours)


def _states(problem: Problem, p, wide: list[float]):
    """States at the patient's records (R, S), symbolic."""
    solver = problem.likelihood.solver
    assert solver.line is not None
    cut, solves, path = intervals(solver.line), {}, []
    start = MODEL.initial(dict(zip(NAMES, wide, strict=True)))
    x = pt.as_tensor(np.array([start[name] for name in MODEL.states]))
    for g in range(cut.begin.size):
        seen = cut.seen[g, cut.slot[cut.group == g]] - cut.begin[g]
        times = tuple(np.unique(seen[seen > 0]))
        levels = [x] * int((seen == 0).sum())
        if times:
            if times not in solves:
                solves[times] = DifferentialEquation(
                    slopes, times, n_states=len(MODEL.states), n_theta=len(NAMES)
                )
            found = solves[times](x, p)
            levels += [found[int(np.searchsorted(times, t))] for t in seen if t > 0]
        x = levels[-1] + cut.given[g, 0]
        path += [*levels[:-1], x]
    return pt.stack(path)[np.asarray(solver.line.read)[0]]


def _log_likelihood(problem: Problem, states, p, who: int):
    """The patient's rows: log-normal concentrations, normal scores."""
    streams, at = problem.likelihood.solver.design.streams, problem.values
    level, score = ((s.record[s.subject == who], s.y[s.subject == who]) for s in streams)
    shown = states[level[0], MODEL.states.index("central")] / p[NAMES.index("v1")]
    laws = (
        pm.LogNormal.dist(pt.log(shown), float(at["concentration_lognormal"])),
        pm.Normal.dist(
            states[score[0], MODEL.states.index("lesions")], float(at["lesion_additive"])
        ),
    )
    parts = [pm.logp(law, y).sum() for law, (_, y) in zip(laws, (level, score), strict=True)]
    return parts[0] + parts[1]
