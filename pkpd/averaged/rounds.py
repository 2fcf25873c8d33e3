"""Rounds that bring the proposals where the posterior is, and how many points then are enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from pkpd.averaged.clouds import INNER, Clouds, Proposed, clouds
from pkpd.averaged.places import Places, round_places
from pkpd.averaged.population import Numbers, Population, flattening, pooled, shares, worth_of
from pkpd.averaged.programs import Programs

DRAWS, POINTS, BLOCK = 192, 32, 64
"""Outer draws of a round, points of each subject, and clouds made at once."""

ROUNDS = 5
"""Rounds, pooled as they go on."""

WORTH = 40.0
"""Outer draws that a step of the proposals rests on, at least."""

NOISE, FEWEST, GREATEST = 0.8, 32, 1024
"""SD of a cloud's log-weight that is let be, and the limits of points.

A little less than the 1.0 to 1.7 with which a chain costs least (Doucet, Pitt, Deligiannidis and
Kohn 2015, Biometrika 102:295): noise is not normal, and its tail is what a chain stands on.
"""

SEEN, AGAIN = 24, 4
"""Draws whose noise is measured, by so many clouds of each."""


def beginning(programs: Programs) -> Proposed:
    """Proposals as a start suggests them."""
    start, outer = programs.start, programs.split.others
    population = Population(start.population, start.covariance, outer)
    rows, subjects = start.effects.shape
    return Proposed(population, population, round_places(subjects, rows, outer.size))


def adapted(
    programs: Programs, seed: int, progress: Callable[[float], None]
) -> tuple[Proposed, list[float]]:
    """Proposals after rounds of clouds, and what share of its draws each round was worth."""
    now, drawn, told = beginning(programs), [], []
    for done in range(ROUNDS):
        rng = np.random.default_rng([seed, done])
        found = made(programs, now, now.population.drawn(DRAWS, INNER, rng), POINTS, rng)
        drawn.append((now.population, found.numbers, found.log_weights))
        told.append(worth_of(found.log_weights) / DRAWS)
        population = now.population.moved(*pooled(drawn), WORTH)
        now = replace(now, population=population, places=_places(programs, now, found, seed + done))
        progress((done + 1) / ROUNDS)
    return now, told


def _places(programs: Programs, now: Proposed, found: Clouds, seed: int) -> Places:
    weights = shares(flattening(found.log_weights, WORTH) * found.log_weights)
    points = found.weights(programs, weights)
    return now.places.refitted(found.outer, found.rounded, points, seed)


def made(
    programs: Programs, now: Proposed, numbers: Numbers, count: int, rng: np.random.Generator
) -> Clouds:
    """Clouds about many draws, some at a time."""
    parts = [
        clouds(programs, now, numbers[k : k + BLOCK], count, rng)
        for k in range(0, len(numbers), BLOCK)
    ]
    names = ("outer", "numbers", "log_weights", "rounded", "points", "heights")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    mean, mix = (np.concatenate(each) for each in zip(*(part.laws for part in parts), strict=True))
    return Clouds(**whole, laws=(mean, mix))


def noise(programs: Programs, now: Proposed, count: int, seed: int) -> float:
    """SD of the log-weight of clouds about the same draws: the median's root."""
    rng = np.random.default_rng([seed, count])
    numbers = np.repeat(now.population.drawn(SEEN, INNER, rng), AGAIN, axis=0)
    found = logsumexp(made(programs, now, numbers, count, rng).log_weights, axis=1)
    return float(np.sqrt(np.median(found.reshape(SEEN, AGAIN).var(axis=1, ddof=1))))


def enough(programs: Programs, now: Proposed, seed: int) -> tuple[int, float]:
    """How many points of every subject keep the noise small, and what it then is."""
    count = FEWEST
    while (found := noise(programs, now, count, seed)) > NOISE and count < GREATEST:
        count *= 2
    return count, found
