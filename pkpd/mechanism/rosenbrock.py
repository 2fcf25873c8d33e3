"""One step of Rodas4 for stiff models: linearly implicit, order four, L-stable, no iteration.

With J = df/dx and f_t = df/dt at the step's start, each of six stages solves, by one elimination,

    (I / gamma - h J) k_i = h f(t + alpha_i h, x + sum_j a_ij k_j) + sum_j c_ij k_j + d_i h^2 f_t,

and the state after the step is x + sum_j m_j k_j. Stiffly accurate: a state that decays at once
does so in the first step. On very stiff problems whose slow part moves, the order falls to about
two to three. Hairer and Wanner 1996, Solving Ordinary Differential Equations II, 2nd ed., section
IV.7; coefficients as in their code rodas.f (METH = 1). A step of no length changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import mul

import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.mechanism.fixed import Rates, State

GAMMA = 0.25
ALPHA = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
D = (0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0)
_FIFTH = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)
A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    _FIFTH,
    (*_FIFTH, 1.0),
)
C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (
        8.083246795921522,
        -7.981132988064893,
        -31.52159432874371,
        16.31930543123136,
        -6.058818238834054,
    ),
)
M = (*_FIFTH, 1.0, 1.0)

Vector = list[Array]
Matrix = list[list[Array]]


def rosenbrock(rates: Rates, p: Mapping[str, Array]) -> Callable:
    """One step: (state, (t, h, inputs held over the step)) -> state; arrays over subjects."""

    def step(state: State, x: tuple) -> State:
        t, h, held = x
        names = tuple(state)
        start = [jnp.asarray(value, float) for value in state.values()]

        def slope(t: Array, x: Vector) -> Vector:
            found = rates(t, dict(zip(names, x, strict=True)), p, held)
            return [found[name] + 0.0 * own for name, own in zip(names, x, strict=True)]

        after = _stages(slope, start, t, h)
        return dict(zip(names, after, strict=True))

    return step


def _stages(slope: Callable, start: Vector, t: Array, h: Array) -> Vector:
    along, drift = _derivatives(slope, t, start)
    system = [
        [(i == j) / GAMMA - h * entry for j, entry in enumerate(row)] for i, row in enumerate(along)
    ]
    lu = factored(jax.lax.stop_gradient(system))
    k: list[Vector] = []
    for a, c, alpha, d in zip(A, C, ALPHA, D, strict=True):
        inside = _sum(start, a, k)
        right = [
            h * f + d * h**2 * ft for f, ft in zip(slope(t + alpha * h, inside), drift, strict=True)
        ]
        k.append(solution(system, lu, _sum(right, c, k)))
    return _sum(start, M, k)


def _sum(x: Vector, weights: Sequence[float], k: Sequence[Vector]) -> Vector:
    """The vector plus weighted stages."""
    for weight, stage in zip(weights, k, strict=True):
        x = [value + weight * part for value, part in zip(x, stage, strict=True)]
    return x


def _derivatives(slope: Callable, t: Array, x: Vector) -> tuple[Matrix, Vector]:
    """df/dx by unit tangents, one a state, and df/dt."""

    def moving(j: int, value: Array) -> Vector:  # others are constants: no sums of zeros
        return slope(t, [*x[:j], value, *x[j + 1 :]])

    columns = [
        jax.jvp(partial(moving, j), (own,), (jnp.ones_like(own),))[1] for j, own in enumerate(x)
    ]
    t = jnp.asarray(t, float)
    drift = jax.jvp(lambda t: slope(t, x), (t,), (jnp.ones_like(t),))[1]
    return [list(row) for row in zip(*columns, strict=True)], drift


def factored(matrix: Matrix) -> Matrix:
    """L and U in one, of small matrices over subjects: no pivots sought, none may be zero.

    What is eliminated here, I / gamma - h J and I less what an interval leaves, has its greatest
    entries on the diagonal for flows between compartments.
    """
    lu = [list(row) for row in matrix]
    for k in range(len(lu)):
        for i in range(k + 1, len(lu)):
            lu[i][k] = lu[i][k] / lu[k][k]
            for j in range(k + 1, len(lu)):
                lu[i][j] = lu[i][j] - lu[i][k] * lu[k][j]
    return lu


def solved(lu: Matrix, right: Vector) -> Vector:
    """The solution for one right-hand side, of a matrix that `factored` gave."""
    x = list(right)
    for i in range(len(x)):
        for j in range(i):
            x[i] = x[i] - lu[i][j] * x[j]
    for i in reversed(range(len(x))):
        for j in range(i + 1, len(x)):
            x[i] = x[i] - lu[i][j] * x[j]
        x[i] = x[i] / lu[i][i]
    return x


def solution(matrix: Matrix, lu: Matrix, right: Vector) -> Vector:
    """The solution x of M x = b; its derivatives solve M dx = db - dM x, elimination left out."""

    def times(x: Vector) -> Vector:
        return [sum(map(mul, row[1:], x[1:]), row[0] * x[0]) for row in matrix]

    def backwards(_: Callable, right: Vector) -> Vector:
        return jax.linear_transpose(partial(solved, lu), right)(right)[0]

    def forwards(_: Callable, right: Vector) -> Vector:
        return solved(lu, right)

    return jax.lax.custom_linear_solve(times, right, forwards, backwards)
