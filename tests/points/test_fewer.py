"""Every tenth subject leads the search: the same likelihood of them, and the same end."""

import numpy as np
import pytest

from pkpd import points_search
from pkpd.checkpoint import Checkpoint
from pkpd.points import fewer as fewer_module
from pkpd.points.fewer import fewer


@pytest.fixture
def half(monkeypatch):
    """Every second subject leads, where there are fifty."""
    monkeypatch.setattr(fewer_module, "MANY", 50)
    monkeypatch.setattr(fewer_module, "SHARE", 2)


def test_few_subjects_are_not_parted(neonates):
    assert fewer(neonates[0]) is None


def test_a_part_has_the_likelihood_of_its_subjects(neonates, half):
    whole, part = neonates[0], fewer(neonates[0])
    names = list(whole.solver.design.subjects)
    assert list(part.solver.design.subjects) == names[::2]
    values = {v.name: np.full(v.size, 0.3) for v in whole.space.variables if v.dim is not None}
    population = whole.space.unpack(whole.space.medians())
    some = {name: value[::2] for name, value in values.items()}
    expected = np.asarray(whole.by_subject({**population, **values}))[::2]
    found = np.asarray(part.by_subject({**population, **some}))
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_search_led_by_a_part_ends_where_that_of_all_does(neonates, half, tmp_path, monkeypatch):
    likelihood, _ = neonates
    led = points_search.searched(likelihood, Checkpoint(tmp_path, "led"), lambda *_: None)
    monkeypatch.setattr(fewer_module, "MANY", 1000)
    whole = points_search.searched(likelihood, Checkpoint(tmp_path, "all"), lambda *_: None)
    assert led.settled and led.done <= whole.done
    assert np.abs((led.centre - whole.centre) / whole.sd).max() < 3
