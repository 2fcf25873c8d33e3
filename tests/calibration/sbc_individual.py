"""Simulation-based calibration of an individual-level fit.

    python tests/calibration/sbc_individual.py --sims 200

Twelve subjects, two bolus doses, six samples each: one compartment, clearance and volume correlated
between subjects, proportional error. Truths come from the prior, random effects among them; each
data set is fitted as `pkpd fit` does (start by Laplace, centring by the data, NUTS), and the ranks
go to a CSV. Programs are compiled once: the data are their argument (`walking.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax.numpy as jnp
import numpy as np
import sbc
from walking import Walker

from pkpd import library
from pkpd.data.events import read_events
from pkpd.individual.build import individual_likelihood
from pkpd.individual.problem import IndividualLikelihood, population_space
from pkpd.prediction.replicates import again
from pkpd.settings_individual import (
    Block,
    Choice,
    IndividualSampler,
    IndividualSettings,
    Observation,
)
from pkpd.variation.standard import prior_draws

SUBJECTS, DOSES, SAMPLES = 12, (0.0, 12.0), (1.0, 3.0, 8.0, 13.0, 18.0, 24.0)
MODEL = "pk_1cmt_iv"
SAMPLER = IndividualSampler(chains=2, tune=200, draws=400, target_accept=0.9)


def settings() -> IndividualSettings:
    """Priors as wide as one would state them knowing the drug class."""
    return IndividualSettings(
        name="calibration",
        title="Simulation-based calibration",
        model=MODEL,
        data="simulated",
        observations=(Observation(output="concentration", priors={"proportional": 0.2}),),
        parameters={
            "cl": Choice(median=4.0, sd=0.3, between=0.4),
            "v": Choice(median=40.0, sd=0.3, between=0.4),
        },
        blocks=(Block(parameters=("cl", "v")),),
    )


def records() -> dict[str, np.ndarray]:
    """Doses of 100 and the samples; DV is a place to be filled."""
    rows = [
        (who, time, 100.0 if dosed else 0.0, int(dosed), np.nan if dosed else 1.0)
        for who in range(1, SUBJECTS + 1)
        for time, dosed in sorted([(t, True) for t in DOSES] + [(t, False) for t in SAMPLES])
    ]
    return dict(zip(("ID", "TIME", "AMT", "EVID", "DV"), np.array(rows).T, strict=True))


def built() -> IndividualLikelihood:
    """The likelihood, with no data in it that count."""
    table = read_events(records()).table
    return individual_likelihood(settings(), library.load(MODEL), table)


def simulator(likelihood: IndividualLikelihood, sims: int, seed: int) -> tuple[list, list]:
    """Truths from the prior, random effects among them, and data simulated there."""
    draws = prior_draws(likelihood.space, sims, seed)
    seen = again(likelihood, draws, seed=seed)
    truths = [{name: value[k] for name, value in draws.items()} for k in range(sims)]
    return truths, [[part[k] for part in seen.simulated] for k in range(sims)]


def calibrator(sims: int, seed: int) -> Callable[[int], dict[str, float]]:
    """A function of the number of a simulation: its ranks."""
    walker = Walker(built())
    space, names = walker.likelihood.space, population_space(walker.likelihood).names
    truths, data = simulator(walker.likelihood, sims, seed)

    def one(k: int) -> dict[str, float]:
        y = [jnp.asarray(each) for each in data[k]]
        tree = walker.draws(y, SAMPLER.model_copy(update={"seed": seed + k}))
        given = sbc.ranked(
            truths[k], tree, space.names, lambda values: float(walker.log_likelihood(values, y))
        )
        kept = {n: r for n, r in given.items() if "_eta_" not in n or n.endswith("_eta_0")}
        return kept | sbc.health(tree, names)

    return one


@cache
def kept(sims: int, seed: int) -> Callable[[int], dict[str, float]]:
    """A process's own programs."""
    return calibrator(sims, seed)


def row(item: tuple[int, int, int]) -> dict[str, float]:
    """The row of simulation k out of so many of a seed."""
    sims, seed, k = item
    return {"simulation": k, **kept(sims, seed)(k)}


def main() -> None:
    """Simulate, fit, rank; print how uniform the ranks are."""
    import sbc_individual  # by its name, as workers do

    chosen = sbc.asked("Simulation-based calibration of an individual-level fit", 200).parse_args()
    path = chosen.out or sbc.DOCS / "calibration-individual.csv"
    first = (max(chosen.sims, 1000), sbc.SEED)
    print(sbc.told(sbc.run(path, chosen.sims, sbc.spread(sbc_individual.row, first, chosen))))


if __name__ == "__main__":
    main()
