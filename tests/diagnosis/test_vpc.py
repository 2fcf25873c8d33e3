"""Visual predictive checks: against hand-computed quantiles, and by their own coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pkpd.diagnosis.vpc import COLUMNS, vpc
from pkpd.errors import DataError


def table(time, value, **more):
    blank = {"output": "c", "arm": "a", "censored": 0, "limit": np.nan}
    return pd.DataFrame({**blank, "time": np.asarray(time, float), "value": value, **more})


def check(observed, replicates, **asked):
    return vpc(observed, np.asarray(replicates, float), **{"bins": "time", "level": 0.9, **asked})


def many(seed=3, rows=240, reps=99):
    random = np.random.default_rng(seed)
    observed = table(random.integers(0, 6, rows), random.lognormal(size=rows))
    observed["arm"] = random.choice(["low", "high"], rows)
    return observed, random.lognormal(size=(reps, rows))


def test_a_small_example_is_as_computed_by_hand():
    observed = table([1, 1, 1, 2], [10, 30, 20, 5])
    copies = [[1, 2, 3, 7], [4, 6, 5, 8], [9, 7, 8, 9]]
    found = check(observed, copies, level=0.5, quantiles=(0.25, 0.5))
    first = found[(found["bin"] == 1) & (found["quantile"] == "0.25")].iloc[0]
    # Sorted 10 20 30: a quarter of the way is 15; of the replicates 1.5, 4.5, 7.5.
    assert first[["observed", "lower", "median", "upper"]].tolist() == [15, 3, 4.5, 6]
    last = found[(found["bin"] == 2) & (found["quantile"] == "0.5")].iloc[0]
    assert last[["observed", "lower", "median", "upper"]].tolist() == [5, 7.5, 8, 8.5]
    assert found["n"].tolist() == [3, 3, 1, 1]
    assert tuple(found.columns) == COLUMNS and set(found["kind"]) == {"eti"}


def test_quantiles_without_censoring_are_those_of_numpy():
    observed, copies = many()
    found = check(observed, copies, level=0.8)
    for _, row in found.iterrows():
        at = ((observed["time"] == row["time"]) & (observed["arm"] == row["arm"])).to_numpy()
        q = float(row["quantile"])
        assert row["observed"] == pytest.approx(np.quantile(observed["value"][at], q))
        ends = np.quantile(np.quantile(copies[:, at], q, axis=1), [0.1, 0.5, 0.9])
        assert row[["lower", "median", "upper"]].tolist() == pytest.approx(ends.tolist())


@pytest.mark.parametrize("name", ["0.1", "0.5", "0.9"])
def test_replicates_of_the_truth_cover_what_is_seen_at_the_nominal_rate(name):
    random = np.random.default_rng(11)
    bins, size, reps = 500, 20, 199
    observed = table(np.repeat(np.arange(bins), size), random.lognormal(size=bins * size))
    found = check(observed, random.lognormal(size=(reps, bins * size)))
    found = found[found["quantile"] == name]
    inside = found["observed"].between(found["lower"], found["upper"]).sum()
    # Rank of the observed quantile among 200 exchangeable ones: uniform.
    assert abs(inside - 0.9 * bins) < 3 * np.sqrt(0.09 * bins) + 0.01 * bins


def test_replicates_of_another_truth_do_not_cover():
    observed, copies = many()
    found = check(observed, 3 * copies)
    assert (found["observed"] < found["lower"]).mean() > 0.8


@pytest.mark.parametrize("bins", ["time", 3, (0, 2, 4.5, 5)])
def test_the_order_of_rows_changes_nothing(bins):
    observed, copies = many()
    pred = 1 + observed["time"].to_numpy()
    order = np.random.default_rng(5).permutation(len(observed))
    for corrected in (False, True):
        asked = {"bins": bins, "corrected": corrected}
        before = check(observed, copies, **asked, pred=pred)
        after = check(observed.iloc[order], copies[:, order], **asked, pred=pred[order])
        pd.testing.assert_frame_equal(before, after)


def test_a_number_of_bins_shares_rows_out_equally_and_its_edges_are_given_back():
    observed = table(np.arange(90) ** 2, np.ones(90))
    found = check(observed, np.ones((5, 90)), bins=6, quantiles=(0.5,))
    assert found["n"].tolist() == [15] * 6
    assert found["time_to"].tolist()[:-1] == found["time_from"].tolist()[1:]
    assert (found["time_from"].iloc[0], found["time_to"].iloc[-1]) == (0, 89**2)


def test_edges_hold_their_start_and_the_last_its_end_too():
    found = check(table([0, 1, 2, 4], [1, 2, 3, 4]), np.ones((3, 4)), bins=(0, 2, 4))
    assert found.drop_duplicates("bin")["n"].tolist() == [2, 2]


def test_a_row_outside_every_bin_is_named():
    with pytest.raises(DataError, match="row 3: time 9 lies in no bin") as caught:
        check(table([0, 1, 2, 9], [1, 2, 3, 4]), np.ones((3, 4)), bins=(0.5, 4))
    assert len(caught.value.faults) == 2


def test_correction_changes_nothing_where_the_prediction_is_constant_in_a_bin():
    observed, copies = many()
    plain = check(observed, copies).drop(columns="corrected")
    pred = 0.5 + observed["time"].to_numpy()
    corrected = check(observed, copies, corrected=True, pred=pred)
    assert corrected.pop("corrected").all()
    pd.testing.assert_frame_equal(plain, corrected)


def test_correction_takes_dose_out_of_a_bin():
    # Two doses, tenfold apart: values are pred x noise, so the corrected ones are 5.5 x noise.
    noise = np.array([0.8, 1.0, 1.2, 0.9, 1.0, 1.1])
    pred = np.array([1.0, 1, 1, 10, 10, 10])
    observed = table(np.ones(6), pred * noise)
    found = check(observed, np.tile(pred * noise, (3, 1)), corrected=True, pred=pred)
    expected = 5.5 * np.quantile(noise, [0.1, 0.5, 0.9])
    assert found["observed"].tolist() == pytest.approx(expected.tolist())
    assert found["median"].tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_prediction_that_cannot_correct_is_refused_with_its_rows(bad):
    observed = table([1, 1, 1, 1, 1], [1, 2, 3, 4, 5])
    pred = np.array([1, bad, 1, bad, 1]) if np.isfinite(bad) else np.array([1, 1, 1, bad, 1])
    with pytest.raises(DataError, match="row 3: pred"):
        check(observed, np.ones((3, 5)), corrected=True, pred=pred)
    assert len(check(observed, np.ones((3, 5)), pred=pred)) == 3


def test_censored_values_rank_below_all_others_and_their_share_is_told():
    observed = table(np.ones(5), [1, 1, 3, 4, 5], censored=[1, 1, 0, 0, 0], limit=1.0)
    copies = np.array([[0.1, 0.2, 0.3, 7, 8], [0.5, 3, 6, 7, 8]])
    found = check(observed, copies, level=0.5, quantiles=(0.25, 0.5)).set_index("quantile")
    assert pd.isna(found.loc["0.25", "observed"])  # among the censored: not drawn
    assert found.loc["0.5", "observed"] == 3
    assert pd.isna(found.loc["0.5", "lower"]) and pd.isna(found.loc["0.5", "median"])
    assert found.loc["blq", "observed"] == pytest.approx(0.4)
    assert found.loc["blq", ["lower", "median", "upper"]].tolist() == pytest.approx(
        [0.3, 0.4, 0.5]
    )  # between shares 0.6 and 0.2


def test_the_value_reported_for_a_censored_row_moves_nothing():
    observed = table(np.ones(5), [1, 1, 3, 4, 5], censored=[1, 1, 0, 0, 0], limit=1.0)
    low = observed.assign(value=[0.5, 0, 3, 4, 5])
    copies = np.random.default_rng(1).lognormal(size=(50, 5))
    pd.testing.assert_frame_equal(check(observed, copies), check(low, copies))


def test_a_limit_stated_by_censored_rows_alone_holds_for_the_others_of_the_output():
    observed = table(np.ones(4), [1, 3, 4, 5], censored=[1, 0, 0, 0])
    found = check(observed, [[2, 2, 0.5, 0.5], [2, 2, 0.5, 0.5]]).set_index("quantile")
    assert found.loc["blq", "median"] == 0.5


def test_a_value_above_its_limit_ranks_above_all_others():
    observed = table(np.ones(3), [1, 2, 2], censored=[0, 0, -1])
    found = check(observed, [[1, 2, 9], [1, 2, 9]], quantiles=(0.5, 0.9)).set_index("quantile")
    assert found.loc["0.5", "observed"] == 2 and pd.isna(found.loc["0.9", "observed"])
    assert "blq" not in found.index


def test_without_a_limit_no_share_below_it_is_told():
    assert set(check(*many())["quantile"]) == {"0.1", "0.5", "0.9"}


def test_an_ordinal_output_gives_the_share_of_each_category():
    observed = table(np.ones(4), [0, 1, 1, 2], outcome="ordinal")
    found = check(observed, [[0, 0, 1, 3], [0, 1, 1, 1]], level=0.5).set_index("quantile")
    assert found["observed"].to_dict() == {
        "category 0": 0.25, "category 1": 0.5, "category 2": 0.25, "category 3": 0.0,
    }  # fmt: skip
    assert found.loc["category 1", ["lower", "median", "upper"]].tolist() == [0.375, 0.5, 0.625]


def test_categories_are_left_out_of_the_corrected_check_and_need_no_prediction():
    observed = table([1, 1, 1, 1], [0, 1, 7, 8])
    observed["output"] = observed["outcome"] = ["binary", "binary", "size", "size"]
    pred = np.array([0, 0, 2, 2])
    found = check(observed, np.ones((3, 4)), corrected=True, pred=pred)
    assert set(found["output"]) == {"size"}


def test_rows_without_value_and_replicates_without_number_are_all_named():
    observed = table([1, 1, 1], [np.nan, 2, 3])
    copies = np.ones((3, 3))
    copies[1, 2] = np.nan
    with pytest.raises(DataError, match=r"row 0: neither[^$]*row 2: a replicate"):
        check(observed, copies)


def test_replicates_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"replicates \(3, 2\)"):
        check(table([1, 1, 1], [1, 2, 3]), np.ones((3, 2)))
