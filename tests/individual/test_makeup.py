"""How parameters are made up from model and settings, and which settings are refused."""

import pytest
from oral_trial import ADDITIVE, settings_of

from pkpd.errors import DataError
from pkpd.individual.free import free_space, groups
from pkpd.individual.makeup import makeup
from pkpd.library import load
from pkpd.model import Model, Parameter
from pkpd.settings_individual import Block, Choice, CovariateEffect
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal, Partial
from pkpd.variation.spread import Cv, Sd

MODEL = load("pk_1cmt_oral")


def made(parameters, model=MODEL, **more):
    found = makeup(model, settings_of(model.name, parameters, (ADDITIVE,), **more), "fit.toml")
    return {each.name: each for each in found}


def test_a_median_and_sd_are_a_prior_on_the_parameters_own_scale():
    found = made({"cl": Choice(median=2.0, sd=0.4), "f_depot": Choice(median=0.6, sd=0.5)})
    assert found["cl"].prior == LogNormal(2.0, 0.4)
    assert found["f_depot"].prior == LogitNormal(0.6, 0.5)
    level = Parameter("level", 0.0, "1", "level", scale="identity", reason="for tests")
    model = Model("one", "one", "one", (level,), ("x",), dict, dict, {})
    assert made({"level": Choice(median=-1.0, sd=2.0)}, model)["level"].prior == Normal(-1.0, 2.0)


def test_what_is_fixed_has_no_prior_and_what_is_not_named_stays_as_it_is():
    found = made({"cl": Choice(fixed=2.0)})
    assert (found["cl"].prior, found["cl"].value) == (None, 2.0)
    assert (found["v"].prior, found["v"].value) == (None, MODEL.parameter("v").value)


def test_between_is_a_prior_a_held_sd_or_none():
    spread = Parameter("cl", 1.0, "1", "cl", between=Cv(0.5), reason="for tests")
    model = Model("one", "one", "one", (spread,), ("x",), dict, dict, {})
    assert made({}, model)["cl"].between == pytest.approx(Cv(0.5).sd)
    assert made({"cl": Choice(between=0.0)}, model)["cl"].between is None
    assert made({"cl": Choice(between=0.3)}, model)["cl"].between == HalfNormal(0.3)
    assert made({"cl": Choice(between_fixed=0.2)}, model)["cl"].between == 0.2
    assert Sd(0.2).sd == 0.2


def test_every_name_that_is_none_is_told_with_the_nearest():
    with pytest.raises(DataError) as caught:
        made({"clr": Choice(fixed=1.0)}, blocks=(Block(parameters=("cl", "vv")),))
    first, second = caught.value.faults
    assert first.where == "fit.toml, parameters.clr" and "Did you mean cl?" in first.remedy
    assert "no parameter 'vv'" in second.found


def test_a_parameter_in_two_blocks_and_values_off_their_scale_are_told():
    with pytest.raises(DataError) as caught:
        made(
            {"cl": Choice(fixed=-1.0), "f_depot": Choice(median=1.2, sd=0.5)},
            blocks=(Block(parameters=("cl", "v")), Block(parameters=("v", "ka"))),
        )
    text = str(caught.value)
    assert "'v' stands in two places" in text
    assert "-1 on a log scale" in text and "1.2 on a logit scale" in text


def test_free_numbers_are_named_population_first_and_effects_last():
    settings = settings_of(
        "pk_1cmt_oral",
        {
            "cl": Choice(median=2.0, sd=0.4, between=0.3, occasion=0.1,
                         covariates=(CovariateEffect(name="WT", reference=70, mean=0.75, sd=0.2),)),
            "v": Choice(median=30.0, sd=0.4, between_fixed=0.2),
        },
        (ADDITIVE,),
        blocks=(Block(parameters=("cl", "v"), concentration=1.5),),
    )  # fmt: skip
    coords = {"subject": ("1", "2"), "occasion": ("1:1", "1:2", "2:1")}
    found = makeup(MODEL, settings, "fit.toml")
    space = free_space(found, settings.blocks, settings.observations, coords)
    assert space.names == (
        "cl", "cl_wt", "cl_between", "cl_occasion", "v", "cl_v_partial", "concentration_additive",
        "cl_eta", "cl_occasion_eta", "v_eta",
    )  # fmt: skip
    priors = {v.name: v.prior for v in space.variables}
    assert priors["cl_wt"] == Normal(0.75, 0.2)
    assert priors["cl_v_partial"] == Partial(1.5)  # LKJ(1.5) of two
    assert priors["v_eta"] == Normal(0.0, 1.0)
    assert space.size == 7 + 2 + 3 + 2
    assert groups(settings.blocks)[0].partials == ("cl_v_partial",)
