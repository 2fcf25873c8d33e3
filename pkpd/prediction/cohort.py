"""One randomised cohort of explicit patients, and the later arms they enter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from pkpd.arm_level.summaries import Summaries
from pkpd.prediction.patients import Luck, Shown, entering, luck, shown, wandering, wide
from pkpd.prediction.statistics import features

Visits = Float[np.ndarray, "B A T N"]
Place = tuple[int, int]


@dataclass(frozen=True)
class Course:
    """One study's virtual patients at its visits: lesions, stay probability, mg/L, baselines."""

    ratio: Visits
    stay: Visits
    level: Visits
    easi: Float[np.ndarray, "A N"]
    trial: Int[np.ndarray, " A"]

    def arm(self, a: int, who: np.ndarray) -> tuple[np.ndarray, ...]:
        """Lesions, stay and concentration (B, T, k) of virtual patients `who` (B, k)."""
        size = (len(who), *self.ratio.shape[2:])
        return tuple(
            np.take_along_axis(np.broadcast_to(part[:, a], size), who[:, None, :], axis=-1)
            for part in (self.ratio, self.stay, self.level)
        )


@dataclass(frozen=True)
class Patients:
    """Explicit patients of a cohort: which virtual patient each is, and their luck by visit."""

    weeks: Float[np.ndarray, " T"]
    who: Int[np.ndarray, "B n"]
    chance: Luck
    drift: Float[np.ndarray, "B T n"]

    def some(self, chosen: Int[np.ndarray, "B k"], weeks: np.ndarray) -> Patients:
        """Patients `chosen` of each replicate, at some of the visits."""
        at = np.searchsorted(self.weeks, weeks)
        own = self.chance

        def visits(part: np.ndarray) -> np.ndarray:
            return np.take_along_axis(part[:, at], chosen[:, None, :], axis=-1)

        def people(part: np.ndarray) -> np.ndarray:
            return np.take_along_axis(part, chosen, axis=-1)

        chance = Luck(
            visits(own.visit),
            visits(own.flare),
            visits(own.iga),
            visits(own.coming),
            people(own.leaving),
            people(own.leaking),
        )
        return Patients(weeks, people(self.who), chance, visits(self.drift))


@dataclass(frozen=True)
class Cohort:
    """The arm at `place` (study, arm) and the arms `later` that its patients may enter."""

    studies: tuple[Summaries, ...]
    found: tuple[Course, ...]
    place: Place
    later: tuple[Place, ...]
    reserve: int

    def simulate(
        self, values: Mapping[str, np.ndarray], random: np.random.Generator, replicates: int
    ) -> Iterator[tuple[Place, Float[np.ndarray, "B T K"]]]:
        """Place and statistics of the cohort's arm, then of those its patients entered."""
        k, a = self.place
        s = self.studies[k]
        size = int(s.n[a])
        everybody = self._enrol(values, random, (replicates, size * (1 + self._spare)))
        chosen = np.broadcast_to(np.arange(everybody.who.shape[1]), everybody.who.shape)
        own = everybody.some(chosen, s.weeks)
        visit, level = self._follow(values, own, self.place, random)
        enters = self._entering(values, visit, own)
        yield self.place, features(s, a, visit, level, chosen < size, enters, random)
        for place, chosen, there in self._spread(enters):
            child = self.studies[place[0]]
            visit, level = self._follow(values, everybody.some(chosen, child.weeks), place, random)
            yield place, features(child, place[1], visit, level, there, there, random)

    @property
    def _spare(self) -> int:
        return self.reserve if self.later else 0

    def _enrol(
        self, values: Mapping[str, np.ndarray], random: np.random.Generator, shape: Place
    ) -> Patients:
        """Patients drawn with replacement, their luck at all visits of the arms they may be in."""
        weeks = np.unique(
            np.concatenate([self.studies[k].weeks for k, _ in (self.place, *self.later)])
        )
        who = random.integers(self.found[self.place[0]].ratio.shape[-1], size=shape)
        chance = luck(random, len(weeks), shape)
        return Patients(weeks, who, chance, wandering(values, chance, weeks))

    def _follow(
        self,
        values: Mapping[str, np.ndarray],
        some: Patients,
        place: Place,
        random: np.random.Generator,
    ) -> tuple[Shown, Float[np.ndarray, "B T k"]]:
        """What patients show at the visits of the arm at `place`, and their mg/L.

        Levels of one visit are off together by exp(level_sd z): windows and assay.
        """
        k, a = place
        course = self.found[k]
        ratio, stay, level = course.arm(a, some.who)
        visit = shown(
            values,
            ratio=ratio,
            stay=stay,
            easi=course.easi[a][some.who],
            drift=some.drift,
            chance=some.chance,
            trial=int(course.trial[a]),
        )
        off = np.exp(wide(values, "level_sd") * random.standard_normal((*level.shape[:2], 1)))
        return visit, level * off

    def _entering(
        self, values: Mapping[str, np.ndarray], visit: Shown, own: Patients
    ) -> np.ndarray:
        if not self.later:
            return np.zeros(own.who.shape, bool)
        selection = self.studies[self.later[0][0]].weeks[0]
        return entering(values, visit, int(np.searchsorted(own.weeks, selection)), own.chance)

    def _spread(self, enters: np.ndarray) -> Iterator[tuple[Place, np.ndarray, np.ndarray]]:
        """For each later arm: who fills its posted places, and which places are filled."""
        order, count = np.argsort(~enters, axis=-1, kind="stable"), enters.sum(axis=-1)[:, None]
        first = 0
        for k, a in self.later:
            places = np.arange(first, first + int(self.studies[k].n[a]))
            first += places.size
            filled = (places < count) | (self._spare > 0)
            taken = places % np.maximum(count, 1) if self._spare else places % order.shape[1]
            taken = np.broadcast_to(taken, filled.shape)
            yield (k, a), np.take_along_axis(order, taken, axis=-1), filled
