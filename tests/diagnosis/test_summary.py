"""Prior beside posterior, one row a free number."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest

from pkpd.diagnosis.summary import summary
from pkpd.model import Parameter
from pkpd.variation.prior import HalfNormal, LogNormal
from pkpd.variation.space import space
from pkpd.variation.standard import prior_draws


@pytest.fixture(scope="module")
def free():
    rate = Parameter("rate", 1.0, "1/day", "turnover", prior=LogNormal(1.0, 0.5),
                     between=HalfNormal(0.3), between_trials=HalfNormal(0.2))  # fmt: skip
    return space([(rate, "trial")], {"drug": ("a",), "trial": ("one", "two")})


@pytest.fixture(scope="module")
def table(free):
    prior = prior_draws(free, 2000, seed=1)
    told = prior_draws(free, 2000, seed=2)
    told["rate"] = 2.0 * np.exp(0.1 * np.random.default_rng(3).normal(size=2000))
    chains = {name: value.reshape(4, 500, *value.shape[1:]) for name, value in told.items()}
    tree = az.from_dict({"posterior": chains}, dims={"rate_trial": ["trial"]})
    return summary(free, tree, prior, level=0.9).set_index("parameter")


def test_every_free_number_has_a_row_with_its_unit(table):
    assert list(table.index) == [
        "rate", "rate_between", "rate_trial_sd", "rate_trial[one]", "rate_trial[two]"
    ]  # fmt: skip
    assert table.unit["rate"] == "1/day"


def test_intervals_are_quantiles(table):
    wanted = 2.0 * np.exp(0.1 * 1.645 * np.array([-1, 1]))
    np.testing.assert_allclose(
        table.loc["rate", ["lower", "upper"]].astype(float), wanted, rtol=0.02
    )
    assert (table.level == 0.9).all() and (table.kind == "eti").all()


def test_contraction_is_small_where_data_spoke_and_one_where_they_did_not(table):
    assert table.contraction["rate"] == pytest.approx(0.2, abs=0.02)
    assert table.contraction["rate_trial[one]"] == pytest.approx(1.0, abs=0.1)
