"""How many calls run side by side."""

import threading

import pytest

from pkpd.errors import DataError
from pkpd.threads import at_once, side_by_side


@pytest.mark.parametrize("count", [1, 2, 5])
def test_so_many_calls_run_at_once_and_answers_keep_their_order(monkeypatch, count):
    """Each call waits until `count` have met; with fewer threads they never would."""
    monkeypatch.setenv("PKPD_THREADS", str(count))
    met, own = threading.Barrier(count, timeout=20), set()

    def call(item):
        met.wait()
        own.add(threading.get_ident())
        return item**2

    assert list(side_by_side(call, range(10))) == [k**2 for k in range(10)]
    assert len(own) == count


@pytest.mark.parametrize(("there", "wanted"), [(1, 1), (3, 3), (40, 8)])
def test_without_a_word_there_is_a_call_for_each_core_up_to_eight(monkeypatch, there, wanted):
    monkeypatch.delenv("PKPD_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(range(there)), raising=False)
    assert at_once() == wanted


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_what_is_no_number_of_threads_is_named(monkeypatch, asked):
    monkeypatch.setenv("PKPD_THREADS", asked)
    with pytest.raises(DataError, match=f"PKPD_THREADS: '{asked}'"):
        at_once()


def test_an_error_of_a_call_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda item: 1 / item, [1, 0, 2]))
