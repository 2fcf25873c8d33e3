import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "individual"))

import phenobarbital

from pkpd.individual.problem import population_space
from pkpd.points.heights import Heights
from pkpd.points.rounds import beginning, drawn_in
from pkpd.points.solving import Counts, solved
from pkpd.variation import standard


@pytest.fixture(scope="session")
def neonates():
    """Phenobarbital's likelihood, and NONMEM's estimates as standardised coordinates."""
    likelihood = phenobarbital.likelihood()
    space = population_space(likelihood)
    return likelihood, np.array(standard.to_standard(space, space.pack(phenobarbital.ESTIMATES)))


@pytest.fixture(scope="session")
def standing(neonates):
    """Points of each neonate drawn in about the estimates."""
    likelihood, centre = neonates
    heights = Heights(likelihood)
    begun = beginning(heights, np.zeros(centre.size))
    now = replace(begun, centre=centre, spread=0.01 * np.eye(centre.size))
    for seed in range(8):
        now, _ = drawn_in(heights, now, Counts(256), seed)
    return heights, now


@pytest.fixture(scope="session")
def cloud(standing):
    """1,024 points of each, with slopes."""
    heights, now = standing
    return solved(heights, now, Counts(1024, 144), 1, exact=True)
