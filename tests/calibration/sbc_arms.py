"""Simulation-based calibration of an arm-level fit: a few arms of STREAM-AD, priors as in `fits/`.

    python tests/calibration/sbc_arms.py --sims 100 --data normal
    python tests/calibration/sbc_arms.py --sims 100 --data patients

`normal` draws the statistics from the sampled likelihood itself, covariances held at the prior
medians for all: ranks must be uniform, and what is tested is means, prior, coordinates and sampler.
`patients` simulates patients one by one (`prediction/posted.py`), as a trial would: statistics are
then only nearly normal, their covariance is another at each truth, and it is held where `--hold`
says: at the truth, or where a fit holds it, at the mean of a pilot run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import sbc

from pkpd import pymc_bridge
from pkpd.arm_level import arms, blocks, frozen
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.summaries import Summaries
from pkpd.prediction.posted import RESERVE, courses, simulated
from pkpd.prediction.statistics import on_fitted_scale
from pkpd.sampling import flat
from pkpd.settings import Sampler
from pkpd.variation import centring, standard
from pkpd.variation.standard import Frame, prior_draws

sys.path.insert(0, str(Path(__file__).parents[1] / "arm_level"))

from small_fit import small_likelihood  # noqa: E402

PATIENTS = 8
SAMPLER = Sampler(chains=2, pilot=100, tune=120, draws=150, adaptation="diag")
PROBE, PLACES = 0.05, 6
CHUNK = 20
"""Trials simulated at once: patients one by one take much memory."""


@dataclass(frozen=True)
class Data:
    """Observed features and shares seen of every study."""

    observed: list[np.ndarray]
    seen: list[np.ndarray]


@dataclass(frozen=True)
class Arms:
    """The small fit; its programs take data and what is held as arguments."""

    likelihood: Likelihood

    def given(self, data: Data) -> Likelihood:
        """The likelihood of other data."""
        parts = zip(self.likelihood.studies, data.observed, data.seen, strict=True)
        studies = tuple(replace(s, observed=y, share_seen=seen) for s, y, seen in parts)
        return replace(self.likelihood, studies=studies)

    @property
    def posted(self) -> Data:
        """What was posted in fact: of the right shapes."""
        studies = self.likelihood.studies
        return Data([s.observed for s in studies], [s.share_seen for s in studies])

    @cached_property
    def density(self) -> Callable:
        """Compiled: (flat, (observed, seen), held) -> log-likelihood and gradient."""

        def of(natural, shown, held):
            return replace(self.given(Data(*shown)), frozen=held).log_likelihood(natural)

        first = tuple(frozen.blank(s) for s in self.likelihood.studies)
        shown = (self.posted.observed, self.posted.seen)
        program = jax.jit(jax.value_and_grad(of))
        return program.lower(self.likelihood.space.medians(), shown, first).compile()

    @cached_property
    def moments(self) -> Callable:
        """Compiled: (flat, seen) -> mean and covariance of every study's features."""
        likelihood = self.likelihood

        def of(natural, seen):
            values = likelihood.space.unpack(natural)
            found = arms.paths(likelihood.disease, values, likelihood.lanes)
            studies = self.given(Data(self.posted.observed, seen)).studies
            made = (arms.moments(values, s, found, likelihood.lanes) for s in studies)
            return [(m.mean, m.covariance) for m in made]

        return jax.jit(of).lower(likelihood.space.medians(), self.posted.seen).compile()

    def held(self, natural: np.ndarray, data: Data) -> tuple:
        """Covariances at a flat natural vector, shares seen as in the data."""
        found = self.moments(jnp.asarray(natural), data.seen)
        values = self.likelihood.space.unpack(jnp.asarray(natural))
        studies = self.given(data).studies
        return frozen.freeze_all(studies, tuple(blocks.Moments(*m) for m in found), values)


def patients(made: Arms, draws: dict, seed: int) -> list[Data]:
    """Posted results of patients simulated one by one at each truth."""
    count = len(next(iter(draws.values())))
    found = courses(made.likelihood, draws)
    sets = []
    for first in range(0, count, CHUNK):
        some = slice(first, first + CHUNK)
        own = tuple(
            replace(c, ratio=c.ratio[some], stay=c.stay[some], level=c.level[some]) for c in found
        )
        values = {name: value[some] for name, value in draws.items()}
        sets += _some_patients(made.likelihood, values, own, np.random.default_rng([seed, first]))
    return sets


def _some_patients(likelihood: Likelihood, values: dict, found: tuple, random) -> list[Data]:
    count = len(found[0].ratio)
    natural = simulated(likelihood, values, found, random, replicates=count, reserve=RESERVE)
    observed, seen = [], []
    for s, part in zip(likelihood.studies, natural, strict=True):
        there = part[:, :, s.columns.index("present") :: len(s.columns)]
        observed.append(np.asarray(on_fitted_scale(s, part)))
        seen.append(np.clip(there, 1 / s.n[:, None], 1.0))
    return [Data([y[k] for y in observed], [y[k] for y in seen]) for k in range(count)]


def normal(made: Arms, flats: np.ndarray, held: tuple, seed: int) -> list[Data]:
    """Statistics from the likelihood with covariances held at the prior medians."""
    random, medians = np.random.default_rng(seed), made.likelihood.space.medians()
    middle, seen = made.moments(medians, made.posted.seen), made.posted.seen
    sets = []
    for each in flats:
        means = made.moments(jnp.asarray(each), seen)
        values = made.likelihood.space.unpack(medians)
        parts = zip(made.likelihood.studies, means, middle, held, strict=True)
        y = [
            _drawn(s, mean, (*at, values["level_sd"]), h.bend, random)
            for s, (mean, _), at, h in parts
        ]
        sets.append(Data(y, list(seen)))
    return sets


def _drawn(s: Summaries, mean, at, bend, random) -> np.ndarray:
    """Features about their mean here; what is conditioned on lies about its mean at the medians."""
    here = np.asarray(blocks.on_scale(s, mean, s.n)) + bend
    *moments, level_sd = at
    there, covariance = blocks.transformed(s, blocks.Moments(*moments), s.n, level_sd)
    first = len(s.columns) if s.entered else 0
    y = np.zeros_like(here)
    for a, posted in enumerate(s.posted):
        kept = np.flatnonzero(posted)
        lower = np.linalg.cholesky(np.asarray(covariance)[a][np.ix_(kept, kept)])
        luck, given = random.normal(size=kept.size), kept < first
        fixed = np.asarray(there)[a, kept[given]] + lower[np.ix_(given, given)] @ luck[given]
        luck[given] = np.linalg.solve(lower[np.ix_(given, given)], fixed - here[a, kept[given]])
        y[a, kept] = here[a, kept] + lower @ luck
    return y


def frame(
    made: Arms, beside: sbc.Moving, flats: np.ndarray, sets: list[Data], held: tuple
) -> Frame:
    """About the prior medians, as round as the mean curvature over some truths can make it."""
    space = made.likelihood.space
    place = jax.jit(lambda c: centring.to_natural(space, c))
    pull = jax.jit(
        lambda c, slope: jax.vjp(lambda x: centring.to_natural(space, x), c)[1](slope)[0]
    )
    prior = jax.jit(jax.grad(lambda c: centring.log_prior(space, c)))

    def slope(c):
        of_data = beside(np.asarray(place(c)))[1]
        return np.asarray(pull(c, of_data) + prior(c))

    found = np.zeros((space.size, space.size))
    for k in range(PLACES):
        shown = (sets[k].observed, sets[k].seen)
        beside.data = shown, held
        at = np.asarray(centring.from_natural(space, jnp.asarray(flats[k])))
        rows = [slope(at - s) - slope(at + s) for s in PROBE * np.eye(space.size)]
        found += np.array(rows) / (2 * PROBE * PLACES)
    return standard.frame(np.zeros(space.size), found)


def calibrator(sims: int, seed: int, kind: str, hold: str) -> Callable[[int], dict[str, float]]:
    """A function of the number of a simulation: its ranks."""
    made = Arms(small_likelihood(PATIENTS))
    space = made.likelihood.space
    draws = prior_draws(space, sims, seed)
    flats = np.array([space.pack({n: v[k] for n, v in draws.items()}) for k in range(sims)])
    middle = made.held(np.asarray(space.medians()), made.posted)
    sets = patients(made, draws, seed) if kind == "patients" else normal(
        made, flats, middle, seed)  # fmt: skip
    beside = sbc.Moving(lambda at, both: made.density(jnp.asarray(at), *both))
    program = pymc_bridge.program(made.likelihood, beside, frame(made, beside, flats, sets, middle))

    def sampled(k: int, held: tuple, chosen: Sampler):
        beside.data = (sets[k].observed, sets[k].seen), held
        return pymc_bridge.run_chains(program, chosen, lambda share: None)

    def one(k: int) -> dict[str, float]:
        held, chosen = middle, SAMPLER.model_copy(update={"seed": seed + k})
        if kind == "patients" and hold == "truth":
            held = made.held(flats[k], sets[k])
        elif kind == "patients":
            held = made.held(np.asarray(space.medians()), sets[k])
            short = chosen.model_copy(update={"tune": chosen.pilot, "draws": chosen.pilot})
            held = made.held(
                _middle(space, flat(made.likelihood, sampled(k, held, short))), sets[k]
            )
        tree = sampled(k, held, chosen)
        truth = {name: value[k] for name, value in draws.items()}
        found = sbc.ranked(truth, tree, space.names, lambda v: beside(np.asarray(space.pack(v)))[0])
        return found | sbc.health(tree, space.names)

    return one


def _middle(space, draws: np.ndarray) -> np.ndarray:
    """The mean of draws in centred coordinates, as `search.learn` takes it."""
    points = jax.vmap(lambda x: centring.from_natural(space, x))(jnp.asarray(draws))
    return np.asarray(centring.to_natural(space, points.mean(axis=0)))


@cache
def kept(sims: int, seed: int, kind: str, hold: str) -> Callable[[int], dict[str, float]]:
    """A process's own programs."""
    return calibrator(sims, seed, kind, hold)


def row(item: tuple[int, int, str, str, int]) -> dict[str, float]:
    """The row of simulation k out of so many of a seed and kind."""
    *which, k = item
    return {"simulation": k, **kept(*which)(k)}


def main() -> None:
    """Simulate, fit, rank; print how uniform the ranks are."""
    import sbc_arms  # by its name, as workers do

    parser = sbc.asked("Simulation-based calibration of an arm-level fit", 100)
    parser.add_argument("--data", choices=("normal", "patients"), default="patients")
    parser.add_argument("--hold", choices=("truth", "pilot"), default="truth")
    chosen = parser.parse_args()
    name = f"calibration-arms-{chosen.data}"
    path = chosen.out or sbc.DOCS / f"{name}.csv"
    first = (max(chosen.sims, 200), sbc.SEED, chosen.data, chosen.hold)
    print(sbc.told(sbc.run(path, chosen.sims, sbc.spread(sbc_arms.row, first, chosen))))


if __name__ == "__main__":
    main()
