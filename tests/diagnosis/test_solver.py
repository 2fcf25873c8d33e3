"""The proof of the mesh: nothing to weigh on equal meshes, a warning on a bad one."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.arm_level.by_draw import by_draw
from pkpd.diagnosis.solver import prove


@dataclass(frozen=True)
class Solved:
    """A likelihood of two arms whose planned mesh is off by `error` times the draw's power."""

    error: float
    power: float = 1.0
    refined: bool = False

    def by_arm(self, values):
        off = 0.0 if self.refined else self.error * jnp.abs(values["x"]) ** self.power
        return jnp.stack([-0.5 * values["x"] ** 2, -jnp.abs(values["x"]) - off])

    def tight(self):
        return Solved(self.error, self.power, refined=True)


@pytest.fixture(scope="module")
def draws():
    return {"x": np.random.default_rng(1).normal(size=400)}


def test_every_draw_and_arm_has_its_log_likelihood(draws):
    found = by_draw(Solved(0.0), draws)
    assert found.shape == (400, 2)
    np.testing.assert_allclose(found[:, 0], -0.5 * draws["x"] ** 2)


def test_equal_meshes_have_nothing_to_weigh(draws):
    proof = prove(Solved(0.0), draws)
    assert proof.pareto_k == 0.0 and proof.shift == 0.0


def test_the_same_error_everywhere_does_no_harm(draws):
    proof = prove(Solved(3.0, power=0.0), draws)
    assert proof.pareto_k == 0.0 and proof.shift < 1e-9


def test_a_small_error_keeps_pareto_k_low(draws):
    proof = prove(Solved(0.05), draws)
    assert proof.pareto_k < 0.5 and 0 < proof.shift < 0.2


def test_a_large_error_in_the_tails_is_caught(draws):
    proof = prove(Solved(1.0, power=2.0), draws)
    assert proof.pareto_k > 0.7


def test_progress_goes_to_one(draws):
    shares = []
    prove(Solved(0.1), {"x": draws["x"][:30]}, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0
