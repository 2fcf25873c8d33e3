import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.model import Parameter
from pkpd.variation import centring, standard
from pkpd.variation.prior import HalfNormal, LogNormal, Normal
from pkpd.variation.space import space

FREE = space(
    [
        (Parameter("ks", 1.0, "1", "", prior=LogNormal(1.0, 0.5),
                   between_trials=LogNormal(0.2, 0.4)), "trial"),
        (Parameter("shift", 0.0, "1", "", "identity", prior=Normal(0.0, 1.0),
                   between_trials=HalfNormal(0.3)), "trial"),
        (Parameter("dropout", 0.3, "1", "", between_trials=LogNormal(0.5, 0.5)), "phase"),
    ],
    {"drug": ("a",), "trial": ("one", "two"), "phase": ("early", "late", "after")},
)  # fmt: skip


@pytest.fixture(params=range(3))
def c(request):
    return jnp.asarray(np.random.default_rng(request.param).normal(size=FREE.size))


def test_there_and_back(c):
    again = centring.from_natural(FREE, centring.to_natural(FREE, c))
    np.testing.assert_allclose(again, c, rtol=1e-12, atol=1e-12)


def test_an_effects_coordinate_is_the_effect_over_the_prior_median_of_its_sd(c):
    values = FREE.unpack(centring.to_natural(FREE, c))
    coordinates = FREE.unpack(c)
    for name, median in (("ks", 0.2), ("shift", HalfNormal(0.3).median), ("dropout", 0.5)):
        effect = values[f"{name}_trial_sd"] * values[f"{name}_trial"]
        np.testing.assert_allclose(effect / median, coordinates[f"{name}_trial"], rtol=1e-12)


def test_the_jacobian_is_that_of_the_change(c):
    _, log_jacobian = centring.to_standard(FREE, c)
    matrix = jax.jacfwd(lambda c: centring.to_standard(FREE, c)[0])(c)
    assert float(log_jacobian) == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-10)


def test_the_prior_is_the_standard_one_carried_over(c):
    z, log_jacobian = centring.to_standard(FREE, c)
    wanted = standard.log_prior_standard(FREE, z) + log_jacobian
    assert float(centring.log_prior(FREE, c)) == pytest.approx(float(wanted), rel=1e-12)


def test_without_trials_nothing_moves():
    plain = space(
        [(Parameter("ks", 1.0, "1", "", prior=LogNormal(1.0, 0.5)), "trial")],
        {"drug": ("a",), "trial": ("one",)},
    )
    z, log_jacobian = centring.to_standard(plain, jnp.array([0.7]))
    assert float(z[0]) == 0.7 and float(log_jacobian) == 0.0
