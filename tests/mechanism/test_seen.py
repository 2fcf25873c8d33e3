"""What is seen at a few places is what the whole course has there."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.library import load
from pkpd.mechanism import exponential, mesh


@pytest.mark.parametrize("at", [[0, 3, 9, 20], [4, 5], [20]])
def test_seen_is_the_course_at_these_places(at):
    model = load("tcell_rebalancing")
    days = np.sort(np.random.default_rng(2).uniform(0, 90, 21))
    level = jnp.asarray(np.random.default_rng(3).uniform(0, 20, (mesh.nodes(days).size, 2, 5)))
    p = {each.name: jnp.full((2, 1), each.value) for each in model.parameters}
    start = {name: jnp.full((2, 5), 0.5 + 0.1 * k) for k, name in enumerate(model.states)}
    told = model.turnover, start, days, {"concentration": level}, p
    whole = exponential.solve(*told)
    found = jax.jit(lambda: exponential.seen(*told, np.array(at)))()
    for name in model.states:
        np.testing.assert_allclose(found[name], whole[name][np.array(at)], rtol=1e-13)
