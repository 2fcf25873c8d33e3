"""Calibration of decisions: tables of a posterior known exactly, shares by SciPy, some trials."""

from __future__ import annotations

import decided
import decisions_page
import decisions_told
import numpy as np
import pandas as pd
import pytest
import redrawn_trial
import sbc
from scipy.integrate import quad, solve_ivp
from scipy.stats import binom, norm

SIMS, FEW, UNLIKELY = 300, 24, 0.01


def known_row(k, width=1.0):
    """theta ~ N(0, 1), y ~ N(theta, 1), so theta | y ~ N(y / 2, 1 / 2); shares decay with theta."""
    random = np.random.default_rng([7, k])
    theta = random.normal()
    middle = (theta + random.normal()) / 2
    drawn = middle + width * np.sqrt(0.5) * random.normal(size=decided.KEPT)
    pace = np.array([0.0, 0.004, 0.01, 0.03])[:, None] * (redrawn_trial.FOLLOWED - 24)

    def shares(at):
        return 0.9 * np.exp(-pace * np.exp(0.7 * at)[:, None, None])[:, None]

    found = {"simulation": k, "memory_true": 60 * np.exp(theta), "memory_said": 60.0}
    for week in redrawn_trial.DECIDED:
        some = decided.held(shares(drawn), shares(np.array([theta])), week)
        found |= {f"{name}_{week:g}": value for name, value in some.items()}
    return found | {"ess_least": 400.0, "rhat_most": 1.0, "divergences": 0, "failed": "",
                    "cpu_seconds": 0.1}  # fmt: skip


@pytest.fixture(scope="module", params=[1.0, 0.35])
def exact(request):
    return request.param, pd.DataFrame([known_row(k, request.param) for k in range(SIMS)])


def test_tables_tell_a_right_posterior_from_one_too_sure(exact):
    width, table = exact
    rows = decisions_told.intervals(table)
    decays = rows[(rows["arm"] != "Q4W") & (rows["quantity"] == "share")]
    inside = decays.groupby(["week", "arm"])["inside"].sum()
    said = decisions_told.statements(table)
    right = binom.cdf(inside, SIMS, 0.9).min() > UNLIKELY / len(inside)
    ranked = [f"share_rank_{arm}_{week:g}" for week in (48, 72) for arm in ("Q8W", "Q12W", "stop")]
    p = decisions_told.rank_table(table).set_index("variable").loc[ranked, "p_holm"].min()
    assert right == (width == 1.0), inside
    assert (p > UNLIKELY) == (width == 1.0), p
    curve = decisions_told.reliability(said)
    held = (curve["low"] <= curve["said"]) & (curve["said"] <= curve["high"])
    assert (held.mean() > 0.75) == (width == 1.0), curve


def test_by_statement_a_shift_is_told_and_chance_is_not(exact):
    width, table = exact
    said = decisions_told.statements(table)
    if width == 1.0:
        assert decisions_told.on_average(said)["p_holm"].min() > UNLIKELY
    hoped = said.assign(said=np.clip(said["said"] + 0.15, 0, 1))
    assert decisions_told.on_average(hoped)["p_holm"].min() < 1e-4


def test_choices_are_counted_by_what_was_true():
    table = pd.DataFrame([known_row(k) for k in range(30)])
    end = "_48"
    table["longest_kept" + end], table["longest_kept_true" + end] = [4.0, 8, np.inf] * 10, 8.0
    table["loss_best" + end] = 0.2
    table["loss_chosen" + end] = 0.3
    rows = decisions_told.chosen(table, 48.0).set_index("rule")
    assert rows.loc["longest_kept", ["too_long", "exact", "too_short"]].tolist() == pytest.approx(
        [1 / 3] * 3
    )
    assert rows.loc["least_loss", "regret"] == pytest.approx(0.1)


def test_a_file_is_taken_up_and_is_the_same_in_any_order(tmp_path):
    made = {}

    def rows(name):
        def give(todo):
            made[name] = sorted(todo)
            yield from (known_row(k) for k in (todo if name == "whole" else reversed(todo)))

        return give

    sbc.run(tmp_path / "a.csv", 6, rows("whole"))
    sbc.run(tmp_path / "b.csv", 3, rows("first"))
    table = sbc.run(tmp_path / "b.csv", 6, rows("rest"))
    assert made == {"whole": [*range(6)], "first": [0, 1, 2], "rest": [3, 4, 5]}
    assert table["simulation"].tolist() == [*range(6)]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_who_failed_is_counted(tmp_path):
    rows = [known_row(k) for k in range(4)]
    rows[1] = {"simulation": 1, "memory_true": 50.0, "failed": "FitError: lost", "cpu_seconds": 1.0}
    rows[2] |= {"rhat_most": 1.2}
    sbc.run(tmp_path / "a.csv", 4, lambda todo: iter(rows))
    table = decisions_told.read(tmp_path / "a.csv")
    assert "4 trials, 1 failed, 2 missed a demand" in decisions_told.health(table)
    assert len(decisions_told.fitted(table)) == 3


def test_the_page_gets_its_tables_and_keeps_the_rest():
    page = f"before\n{decisions_page.BEGIN}\nold\n{decisions_page.END}\nafter\n"
    table = pd.DataFrame([known_row(k) for k in range(40)])
    table.loc[3, "rhat_most"] = 1.3
    found = decisions_page.placed(page, decisions_page.tables(table))
    assert found.startswith("before") and found.endswith("after\n") and "old" not in found
    inside = table["difference_inside_stop_72"]
    row = next(line for line in found.splitlines() if "difference | 72 | stop" in line)
    assert f"| 40 | {100 * inside.mean():.1f} (" in row
    assert f"| {100 * inside.drop(3).mean():.1f} |" in row


@pytest.mark.parametrize(("interval", "weeks"), [(8.0, [24, 32, 40]), (np.inf, [])])
def test_every_arm_has_the_induction_and_then_its_own_doses(interval, weeks):
    assert redrawn_trial.dose_weeks(interval, 48.0).tolist() == [0, 4, 8, 12, 16, 20, *weeks]


def course(p, interval):
    """EASI over baseline at the weeks followed, by SciPy; the equations written out once more."""
    q = {**redrawn_trial.HELD, **p}

    def slopes(t, x):
        bound = x[0] / q["v"] / (x[0] / q["v"] + q["ec50"])
        return [
            -q["cl"] / q["v"] * x[0],
            q["ke"] * (x[2] * (1 - q["imax"] * bound) - x[1]),
            q["kmem"] * (1 - q["phi"] + q["phi"] * x[1] - x[2]),
            q["kr"] * (1 + q["gr"] * bound - x[3]),
            q["ks"] * ((x[1] / x[3]) ** q["gamma"] - x[4]),
            q["ks"] * (x[4] - x[5]),
        ]

    doses = {*range(0, 24, 4)} | ({*range(24, 72, int(interval))} if interval < np.inf else set())
    x, found = np.array([0.0, 1, 1, 1, 1, 1]), []
    for week in range(0, 73, 4):
        if week:
            x = solve_ivp(slopes, (0, 28), x, rtol=1e-8, atol=1e-10).y[:, -1]
        placebo = q["placebo"] * (1 - np.exp(-q["kp"] * 7 * week))
        if week >= 24:
            found.append(x[5] * np.exp(-placebo))
        x[0] += 300.0 * (week in doses)
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("k", [0, 6])
def test_shares_of_a_truth_are_those_of_the_equations_written_out(k):
    """Few virtual patients, so that all can be solved; the mesh's error must be below 0.003."""
    truth = decided.Trials().truth(k)
    truth = {n: truth[n] for n in decided.Trials().names}
    found = decided.share_program(8)({n: np.asarray(v)[None] for n, v in truth.items()})
    z, noise = redrawn_trial.scores(8), truth["easi_ratio_lognormal"]
    own = [
        {**{n: float(truth[n]) for n in redrawn_trial.FREE},
         "ec50": truth["ec50"] * np.exp(redrawn_trial.VARYING["ec50"] * a),
         "gamma": truth["gamma"] * np.exp(truth["gamma_between"] * b)}
        for a, b in zip(z["ec50_eta"], z["gamma_eta"], strict=True)
    ]  # fmt: skip
    ratio = np.array([[course(p, each) for p in own] for each in redrawn_trial.INTERVALS])
    chance = norm.cdf((np.log(0.25) - np.log(ratio)) / noise)
    first = chance[:, :, :1]
    share = (first * chance[:, :, 1:]).mean(axis=1) / first.mean(axis=1)
    assert np.asarray(found)[0, 0, :, 1:] == pytest.approx(share, abs=0.003)


def test_memory_is_the_time_in_which_half_of_a_relapse_is_over():
    """Effector cells near 1 follow memory at once: m' = -kmem (1 - phi) (m - 1)."""
    values = {"kmem": np.array(0.02), "phi": np.array(0.6)}
    half = float(decided.memory(values))
    fallen, _ = quad(lambda t: 0.02 * 0.4 * np.exp(-0.02 * 0.4 * t), 0, half)
    assert fallen == pytest.approx(0.5)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Trials of another seed than the docs'."""
    path = tmp_path_factory.mktemp("decisions") / "rows.csv"
    trials = decided.Trials(sbc.SEED + 5000)
    return trials, sbc.run(path, FEW, lambda todo: (trials.row(k) for k in todo))


@pytest.mark.recovery
def test_intervals_of_few_trials_hold_the_truth_as_often_as_chance_allows(table):
    """Each arm and week by itself: one-sided binomial, over the number of them."""
    _, rows = table
    assert (rows["failed"] == "").all()
    inside = decisions_told.intervals(rows).groupby(["quantity", "week", "arm"])["inside"].sum()
    assert binom.cdf(inside, FEW, 0.9).min() > UNLIKELY / len(inside), inside


@pytest.mark.recovery
def test_ranks_and_statements_of_few_trials_are_as_chance_allows(table):
    _, rows = table
    assert decisions_told.rank_table(rows)["p_holm"].min() > UNLIKELY
    said = decisions_told.statements(rows)
    assert decisions_told.on_average(said)["p_holm"].min() > UNLIKELY


@pytest.mark.recovery
def test_a_trial_fitted_again_gives_the_same_row(table):
    trials, rows = table
    again = trials.row(5)
    for name, value in rows.loc[5].items():
        if name != "cpu_seconds" and not isinstance(value, str):
            assert again[name] == pytest.approx(value, rel=1e-9, nan_ok=True), name
