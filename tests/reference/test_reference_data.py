"""The reference data as read: counts as published, doses as given, published values near."""

from __future__ import annotations

import acop_fit
import jax.numpy as jnp
import nimotuzumab_fit
import numpy as np
import pandas as pd
import phenobarbital_fit
import platcov_fit
import pytest
import remifentanil_fit
from published import events, of_r
from scipy.stats import norm
from two_stage import fitted, subjects

import pkpd


def counted(table: pd.DataFrame) -> tuple[int, int, int]:
    """Subjects, dose records and observations."""
    seen = (table["EVID"] == 0) & table["DV"].notna()
    return table["ID"].nunique(), int((table["EVID"] == 1).sum()), int(seen.sum())


def test_phenobarbital_has_155_concentrations_of_59_neonates():
    subjects, doses, seen = counted(events(phenobarbital_fit.records()))
    assert (subjects, seen) == (59, 155)
    assert doses == 744 - 155


def test_nimotuzumab_has_321_concentrations_of_12_patients_under_10_infusions_each():
    assert counted(events(nimotuzumab_fit.records())) == (12, 120, 321)


def test_remifentanil_has_1992_concentrations_of_65_volunteers():
    subjects, _, seen = counted(events(remifentanil_fit.records()))
    assert (subjects, seen) == (65, 1992)


def test_remifentanil_infusions_bring_what_the_data_say_was_given():
    made = events(remifentanil_fit.records())
    given = of_r("nlme", "Remifentanil").groupby("ID")["Amt"].sum()
    brought = made.groupby(made["ID"].astype(int))["AMT"].sum()
    pd.testing.assert_series_equal(brought, given, check_names=False)


def test_remifentanil_concentrations_lie_about_what_mintos_values_predict():
    made = remifentanil_fit.records()
    minto = {"cl": 2.46, "q2": 1.69, "q3": 0.065, "v1": 4.98, "v2": 9.01, "v3": 6.54}
    typical = pd.DataFrame({"ID": made["ID"].unique()}).assign(**minto)
    found = pkpd.simulate("pk_3cmt_iv", made, parameters=typical)
    seen = made.loc[made["EVID"] == 0, "DV"].to_numpy()
    # A typical value is right for the middle of the subjects: within 15 %, no more can be said.
    assert np.median(seen / found["concentration"]) == pytest.approx(1.0, abs=0.15)


def test_platcov_swabs_to_day_7_are_censored_as_often_as_published():
    made = platcov_fit.records()
    subjects, _, seen = counted(made)
    observed = made[made["EVID"] == 0]
    # Published: 158 patients, 2,842 swabs; which four were left out is not stated.
    assert 158 <= subjects <= 165
    assert seen == pytest.approx(2842, rel=0.02)
    assert observed["CENS"].mean() == pytest.approx(0.1165, abs=0.005)


def test_acop_concentrations_lie_about_the_truth_with_an_error_of_20_percent():
    made = acop_fit.records()
    found = pkpd.simulate("pk_2cmt_mm", made, parameters=acop_fit.truth().reset_index())
    ratio = made.loc[made["EVID"] == 0, "DV"].to_numpy() / found["concentration"].to_numpy()
    # Three standard errors: 1.25 x 0.2 / sqrt(6960) of the median, 0.2 / sqrt(13920) of the SD. The
    # SD is that of the logarithm, whose second-order difference is left room.
    assert counted(made) == (120, 960, 6960)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.009)
    assert np.log(ratio).std() == pytest.approx(0.2, abs=0.012)


def test_remifentanil_ordered_by_rates_is_the_three_compartment_model_at_the_same_numbers():
    likelihood = remifentanil_fit.likelihood()
    space = likelihood.space
    effect = np.repeat([v.dim is not None for v in space.variables],
                       [v.size for v in space.variables])  # fmt: skip
    values = space.unpack(jnp.where(effect, 0.3, space.medians()))
    own = {name: np.asarray(each)[0] for name, each in likelihood.own(values).items()}
    assert (own["q3"] / own["v3"] < own["q2"] / own["v2"]).all()
    made = remifentanil_fit.records()
    chosen = pd.DataFrame({"ID": made["ID"].unique(), **own}).drop(columns="slower")
    level = pkpd.simulate("pk_3cmt_iv", made, parameters=chosen)["concentration"].to_numpy()
    seen = made.loc[made["EVID"] == 0, "DV"].to_numpy(float)
    density = norm.logpdf(seen, level, float(values["concentration_proportional"]) * level).sum()
    found = np.asarray(likelihood.by_subject(values)).sum()
    assert found == pytest.approx(density, rel=1e-9)


def test_remifentanil_deep_compartment_of_subjects_fitted_alone_is_nearer_eleveld_than_minto():
    alone = pd.DataFrame([fitted([each]) for each in subjects(remifentanil_fit.records())])
    assert len(alone) == 65 and not (alone["q3"] / alone["v3"] > alone["q2"] / alone["v2"]).any()
    middle = alone.median()
    # Minto 1997: Q3 0.065 L/min, V3 6.54 L; Eleveld 2017: 0.124 and 5.03, pooled with other data.
    assert abs(np.log(middle["q3"] / 0.124)) < abs(np.log(middle["q3"] / 0.065))
    assert abs(np.log(middle["v3"] / 5.03)) < abs(np.log(middle["v3"] / 6.54))
    # What is well known agrees with Minto by this way too.
    assert middle["cl"] == pytest.approx(2.46, rel=0.1)
    assert middle["v2"] == pytest.approx(9.01, rel=0.15)
