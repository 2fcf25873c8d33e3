"""What individuals add: shared numbers are known better from both levels than from either.

Laplace's approximation with all spreads held, so that a joint mode of effects exists.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from small_joint import TRUTH

from pkpd.variation import standard

SPREADS = ("_between", "_trial_sd", "_additive", "_proportional")
STEP = 1e-3


@pytest.fixture(scope="module")
def sds(small, arms_call, individuals_call):
    """Posterior SD of every free number in standardised coordinates: by arms, individuals, both."""
    space, size = small.space, small.arms.space.size
    values = {n: np.asarray(v) for n, v in space.unpack(space.medians()).items()}
    values |= {n: np.asarray(v) for n, v in TRUTH.items()}
    begin = np.asarray(standard.to_standard(space, space.pack(values)))
    moving = np.concatenate(
        [np.full(v.size, not v.name.endswith(SPREADS)) for v in space.variables]
    )
    ones = jnp.ones(space.size)
    place = jax.jit(lambda z: jax.jvp(lambda z: standard.to_natural(space, z), (z,), (ones,)))

    def wide(flat):
        value, slope = arms_call(flat[:size])
        return value, np.concatenate([slope, np.zeros(flat.size - size)])

    def negative(z, parts):
        whole = begin.copy()
        whole[moving] = z
        flat, scale = (np.asarray(part) for part in place(whole))
        value, slope = 0.5 * z @ z, z.copy()
        for part in parts:
            seen, tilt = part(flat)
            value, slope = value - seen, slope - (tilt * scale)[moving]
        return value, slope

    found = {}
    for name, parts in {"arms": (wide,), "individuals": (individuals_call,),
                        "both": (wide, individuals_call)}.items():  # fmt: skip
        mode = minimize(negative, begin[moving], (parts,), jac=True, method="L-BFGS-B",
                        options={"maxiter": 600, "maxcor": 40}).x  # fmt: skip
        steps = STEP * np.eye(mode.size)
        rows = [negative(mode + s, parts)[1] - negative(mode - s, parts)[1] for s in steps]
        curvature = np.array(rows) / (2 * STEP)
        curvature = (curvature + curvature.T) / 2
        assert np.linalg.eigvalsh(curvature)[0] > 0  # a mode
        sd = np.full(space.size, np.nan)
        sd[moving] = np.sqrt(np.diag(np.linalg.inv(curvature)))
        found[name] = {n: sd[p] for n, p in space.places.items()}
    return found


@pytest.mark.parametrize("name", ["ks", "kp"])
def test_a_shared_number_is_known_better_from_both_than_from_either(sds, name):
    both = sds["both"][name]
    assert both < 0.95 * sds["arms"][name]
    assert both < 0.95 * sds["individuals"][name]


def test_individuals_say_nothing_of_another_drug(sds):
    for name in ("ec50", "imax", "gr"):
        other = sds["both"][name][0]
        assert other == pytest.approx(1.0, abs=1e-3)  # its prior
        assert sds["both"][name][1] < other


def test_individuals_alone_leave_what_is_the_arms_at_its_prior(sds):
    for name in ("dropout", "leakage", "flare_memory", "gamma_trial"):
        np.testing.assert_allclose(sds["individuals"][name], 1.0, atol=1e-3)
