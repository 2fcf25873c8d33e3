"""Freed memory is kept: the same arrays made again cost no new pages."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from pkpd.cli.memory import keep_freed
if sys.argv[1] == "kept" and not keep_freed():
    print("unknown")
    raise SystemExit
np.full(8_000_000, 1.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for k in range(10):
    np.full(8_000_000, float(k))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> str:
    run = [sys.executable, "-c", FAULTS, how]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def test_arrays_made_again_cost_no_new_pages():
    kept = faults("kept")
    if kept == "unknown":
        pytest.skip("this C library cannot be told")
    assert int(kept) < 0.1 * int(faults("as it comes"))
