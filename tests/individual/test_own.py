"""Each subject's own parameters, written out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from oral_trial import ADDITIVE, settings_of
from scipy.special import expit, logit

from pkpd.individual.design import Subjects
from pkpd.individual.free import groups
from pkpd.individual.makeup import makeup
from pkpd.individual.own import factor, own_parameters
from pkpd.library import load
from pkpd.settings_individual import Block, Choice, CovariateEffect

MODEL = load("pk_1cmt_oral")
WEIGHT = np.array([[60.0, 70.0, 90.0]])
Z = {name: np.array(z) for name, z in {"cl": [0.5, -1, 2], "v": [1, 0.3, -0.4],
                                       "ka": [0.2, 0.7, -1.5]}.items()}  # fmt: skip


def own(parameters, values, known=None, blocks=()):
    settings = settings_of("pk_1cmt_oral", parameters, (ADDITIVE,), blocks=blocks)
    known = known or Subjects({"WT": WEIGHT}, None)
    values = {name: jnp.asarray(value) for name, value in values.items()}
    return own_parameters(MODEL, makeup(MODEL, settings, ""), groups(blocks), known, values)


@pytest.mark.parametrize(
    ("form", "reference", "expected"),
    [
        ("power", 70.0, (WEIGHT / 70.0) ** 0.6),
        ("exponential", 70.0, np.exp(0.6 * (WEIGHT - 70.0))),
        ("linear", 70.0, 1 + 0.6 * (WEIGHT - 70.0)),
        ("below", 70.0, np.array([[1.6, 1.0, 1.0]])),
        ("equal", 90.0, np.array([[1.0, 1.0, np.exp(0.6)]])),
    ],
)
def test_a_covariate_multiplies_by_its_form(form, reference, expected):
    effect = CovariateEffect(name="wt", form=form, reference=reference, coefficient=0.6)
    np.testing.assert_allclose(factor(effect, jnp.asarray(WEIGHT), 0.6), expected, rtol=1e-14)
    found = own({"cl": Choice(fixed=2.0, covariates=(effect,))}, {})
    np.testing.assert_allclose(found["cl"], 2.0 * expected, rtol=1e-14)


def test_effects_act_on_the_log_and_on_the_logit():
    found = own(
        {"cl": Choice(median=2.0, sd=1.0, between=0.3), "f_depot": Choice(fixed=0.6, between=0.5)},
        {"cl": 2.5, "cl_between": 0.4, "cl_eta": Z["cl"], "f_depot_between": 0.7,
         "f_depot_eta": Z["v"]},
    )  # fmt: skip
    np.testing.assert_allclose(found["cl"][0], 2.5 * np.exp(0.4 * Z["cl"]), rtol=1e-14)
    np.testing.assert_allclose(found["f_depot"][0], expit(logit(0.6) + 0.7 * Z["v"]), rtol=1e-13)
    assert found["v"].shape == (1, 1)  # the same for all


def test_correlated_effects_have_the_correlations_of_their_partials():
    names = ("cl", "v", "ka")
    chosen = {name: Choice(median=1.0, sd=1.0, between=0.5) for name in names}
    sd = np.array([0.4, 0.3, 0.6])
    a, b, c = 0.5, -0.3, 0.8
    third = c * np.sqrt((1 - a**2) * (1 - b**2)) + a * b
    lower = np.linalg.cholesky(np.array([[1, a, b], [a, 1, third], [b, third, 1]]))
    values = {"cl_v_partial": a, "cl_ka_partial": b, "v_ka_partial": c}
    for k, name in enumerate(names):
        values |= {name: 1.0, f"{name}_between": sd[k], f"{name}_eta": Z[name]}
    found = own(chosen, values, blocks=(Block(parameters=names),))
    expected = sd[:, None] * (lower @ np.stack([Z[name] for name in names]))
    for k, name in enumerate(names):
        np.testing.assert_allclose(np.log(found[name][0]), expected[k], rtol=1e-12)


def test_an_occasion_adds_its_own_effect_at_its_records():
    # records by subject: occasions 0 and 1 of the first, 2 of the second, 3 and 4 of the third
    occasion = np.array([[0, 2, 3], [1, 2, 4]])
    w = np.array([0.1, -0.2, 0.3, -0.4, 0.5])
    found = own(
        {"cl": Choice(median=2.0, sd=1.0, between=0.3, occasion=0.2)},
        {"cl": 2.0, "cl_between": 0.4, "cl_eta": Z["cl"], "cl_occasion": 0.5,
         "cl_occasion_eta": w},
        Subjects({}, occasion),
    )  # fmt: skip
    np.testing.assert_allclose(
        found["cl"], 2.0 * np.exp(0.4 * Z["cl"] + 0.5 * w[occasion]), rtol=1e-14
    )
