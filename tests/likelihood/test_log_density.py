"""Contract C7: another program computes the same log-density from the same formulas."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import written_out
from small_fit import quick_compile


@pytest.fixture(scope="module")
def tight(small):
    return small.tight(16)


@pytest.fixture(scope="module")
def solved(small, tight):
    """Log-likelihood by arm on the planned and on a tight mesh, compiled."""
    with quick_compile():
        programs = [jax.jit(some.by_arm) for some in (small, tight)]
        for program in programs:
            program(small.space.unpack(small.space.medians()))
    return programs


@pytest.mark.parametrize("point", ["medians", "random"])
def test_log_density_is_the_one_written_out_again(small, solved, points, point):
    values = {n: np.asarray(v) for n, v in small.space.unpack(points[point]).items()}
    wanted = written_out.by_arm(small, values)
    planned, tight = (np.asarray(program(values)) for program in solved)
    print(point, planned - wanted, tight - wanted, wanted)
