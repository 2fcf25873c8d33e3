"""Steps on a common clock: the same states at every record, less time run through in lockstep."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from oral_trial import ADDITIVE, settings_of, table

from pkpd.individual.build import individual_likelihood
from pkpd.individual.clock import aligned
from pkpd.library import load
from pkpd.settings_individual import Choice

FREE = {"cl": Choice(median=2.0, sd=0.3, between=0.3), "v1": Choice(median=20.0, sd=0.3)}
KEEP = ("TIME", "AMT", "EVID", "RATE", "ADDL", "II", "DV")


def _row(subject, **said):
    return {"ID": subject, **dict.fromkeys(KEEP, 0.0), **said}


def _subject(rng, subject):
    """Doses, infusions, resets and observations at whole days (shared) and at odd times."""
    days = np.sort(rng.choice(np.arange(1.0, 40.0), 8, replace=False))
    odd = rng.uniform(0.0, 40.0, 3)
    rows = [_row(subject, TIME=t, DV=1.0) for t in (*days, *odd, rng.uniform(30.0, 41.0))]
    rows.append(_row(subject, TIME=0.0, AMT=100.0, EVID=1.0, ADDL=9.0, II=rng.choice([3.0, 7.0])))
    rows.append(_row(subject, TIME=rng.uniform(2, 9), AMT=50.0, EVID=1.0, RATE=rng.uniform(3, 60)))
    rows.append(_row(subject, TIME=float(rng.integers(10, 20)), AMT=80.0, EVID=4.0))
    return sorted(rows, key=lambda row: row["TIME"])


def _likelihood(rows, model="pk_2cmt_iv"):
    settings = settings_of(model, FREE, (ADDITIVE,))
    return individual_likelihood(settings, load(model), table(rows))


def _lockstep(line):
    return float(np.asarray(line.end - line.start).max(axis=0).sum())


@pytest.mark.parametrize("seed", range(4))
def test_states_at_records_are_the_same_on_a_common_clock(seed):
    rng = np.random.default_rng(seed)
    made = _likelihood([row for subject in range(1, 7) for row in _subject(rng, subject)])
    plain = made.solver
    own = made.own({n: np.asarray(v) for n, v in made.space.unpack(made.space.medians()).items()})
    before, _ = plain.states(own)
    after, line = replace(plain, line=aligned(plain.line)).states(own)
    assert np.abs(before).max() > 10
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)
    assert _lockstep(line) <= _lockstep(plain.line)


def test_two_dosing_intervals_take_no_longer_than_the_trial():
    """Doses every 14 and every 28 days, visits every 14 or 28: without a clock they run apart."""
    rows = []
    for subject, every in enumerate((14.0, 28.0, 14.0, 28.0), 1):
        rows.append(_row(subject, AMT=100.0, EVID=1.0, ADDL=np.floor(112 / every), II=every))
        rows += [_row(subject, TIME=t, DV=1.0) for t in np.arange(every, 113.0, every)]
    rows += [_row(5, AMT=100.0, EVID=1.0, ADDL=8.0, II=14.0), _row(5, TIME=33.5, DV=1.0)]  # left
    made = _likelihood(rows)
    apart, together = made.solver.line, aligned(made.solver.line)
    assert _lockstep(apart) > 1.3 * 112
    assert _lockstep(together) == pytest.approx(112.0)
    moves = np.asarray(together.end - together.start)[4]
    assert moves.sum() == pytest.approx(33.5)  # what comes after the last record is left out
    assert jax.tree.all(jax.tree.map(lambda x: bool(np.isfinite(x).all()), together))
