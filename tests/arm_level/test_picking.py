import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.arm_level.picking import picker

PATH = jnp.asarray(np.random.default_rng(1).normal(size=(7, 4, 3)))
DAYS = np.array([0, 3, 6])


def weighed(x):
    return (x**3 * jnp.arange(1.0, x.size + 1).reshape(x.shape)).sum()


@pytest.mark.parametrize("runs", [[2], [3, 0], [1, 1, 2]], ids=["one", "two", "shared"])
def test_it_picks_and_its_gradient_is_that_of_indexing(runs):
    runs = np.array(runs)
    pick = picker(DAYS, runs, PATH.shape)

    def plain(path):
        return jnp.stack([path[DAYS, run] for run in runs])

    np.testing.assert_array_equal(pick(PATH), plain(PATH))
    found = jax.grad(lambda path: weighed(pick(path)))(PATH)
    wanted = jax.grad(lambda path: weighed(plain(path)))(PATH)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
