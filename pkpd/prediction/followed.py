"""Patients under a regimen that is decided at visits, followed draw by draw.

What a visit shows depends on the doses before it, and the doses after it on what it shows. So the
patients are solved under the plan; what the visits show decides the doses; those whose doses
changed are solved again, from the first day, under the doses they now have; and so on until no
dose changes. A visit looks back only, so each pass settles every patient's next decision: the
answer is the one that stepping from visit to visit gives, with the pharmacokinetics and the
disease carried on, in as many solves as the most decided patient has decisions, and one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import numpy as np
from jaxtyping import Float, Int

from pkpd.arm_level import arms
from pkpd.arm_level.problem import Likelihood
from pkpd.arm_level.trajectories import Lanes
from pkpd.errors import DataError, Fault, FitError
from pkpd.mechanism import mesh as meshes
from pkpd.model import Model
from pkpd.prediction.patients import Luck, Shown, shown, wandering
from pkpd.prediction.simulated import (
    WEEK,
    Steps,
    day_index,
    kinetics,
    lanes_for,
    people_for,
)
from pkpd.regimen import Regimen
from pkpd.regimen.clauses import DIGITS
from pkpd.regimen.guided import Given, course
from pkpd.variation.population import Population, exposures

MOST_DAYS = 4000
"""Days on which a dose may fall at most: beyond, the regimen's intervals are a slip of the pen."""
KEPT = 20_000
"""Exposures of a patient under doses that are kept for the next draw: some 20 kB each."""
Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Followed:
    """One draw's patients at an arm's weeks: what is shown, mg/L (weeks, patients), their doses."""

    visit: Shown
    level: Float[np.ndarray, "T n"]
    given: Given


@dataclass(frozen=True)
class Arm:
    """One regimen of a drug and its virtual patients: what does not depend on the draw.

    `weeks` hold the visits, at places `visits`, and whatever weeks are asked for besides.
    """

    regimen: Regimen
    weeks: Float[np.ndarray, " T"]
    visits: Int[np.ndarray, " V"]
    lanes: Lanes
    people: Population
    pk: Model
    solve: Callable[[Values, np.ndarray, Values, np.ndarray], tuple]
    kept: dict[tuple[int, bytes], np.ndarray] = field(default_factory=dict)

    def follow(
        self,
        values: Values,
        who: Int[np.ndarray, " n"],
        chance: Luck,
        *,
        all_seen: bool,
        off_drug: bool = False,
    ) -> Followed:
        """Virtual patients `who` with luck `chance` at `weeks`, for one draw.

        With `all_seen` nobody leaves or misses a visit as far as decisions go. With `off_drug` who
        leaves takes no dose after the last of `weeks` that they were in the trial.

        Raises
        ------
        FitError
            If the doses do not settle.
        """
        people = self.people.some(who)
        table, given = self.lanes.log_concentration[..., who], self._decided(people, None)
        drift = wandering(values, chance, self.weeks)
        scores = {name: z[:, who] for name, z in self.lanes.scores.items()}

        def looked(table: np.ndarray) -> tuple[Shown, np.ndarray]:
            found = self.solve(values, table, scores, people.easi)
            ratio, stay, level = (np.asarray(part)[:, 0] for part in found)
            visit = shown(
                values,
                ratio=ratio,
                stay=stay,
                easi=people.easi[0],
                drift=drift,
                chance=chance,
                trial=int(self.lanes.trial[0]),
            )
            return visit, level

        for _ in range(2 * len(self.visits) + 2):
            visit, level = looked(table)
            decided = self._decided(people, visit, all_seen=all_seen)
            if decided.same_as(given):
                if not off_drug:
                    return Followed(visit, level, given)
                ended = self._ended(given, visit)
                return Followed(*looked(self._dosed(who, table, given, ended)), ended)
            table = self._dosed(who, table, given, decided)
            given = decided
        raise FitError(f"The doses of '{self.regimen}' do not settle: see visits further apart.")

    def _ended(self, given: Given, visit: Shown) -> Given:
        """The doses that patients took: none after the last week that they were in the trial."""
        weeks = np.append(0.0, self.weeks)[visit.staying.sum(axis=0)]
        weeks[visit.staying[-1]] = np.inf
        return replace(given, amounts=np.where(given.weeks[:, None] <= weeks, given.amounts, 0.0))

    def _decided(self, people: Population, visit: Shown | None, *, all_seen: bool = False) -> Given:
        """Doses by what visits show; without, those of the plan."""
        count = people.easi.shape[1]
        if visit is None:
            weeks, responses = np.empty(0), {r.response: np.empty((0, count), bool)
                                             for r in self.regimen.rules}  # fmt: skip
            seen = np.empty((0, count), bool)
        else:
            weeks = self.weeks[self.visits]
            responses = {name: part[self.visits] for name, part in visit.response.items()}
            present = visit.present[self.visits]
            seen = np.ones_like(present) if all_seen else present
        weights = people.covariates["wt"][0]
        return course(self.regimen, weeks, responses, seen, weights, until=self.weeks[-1])

    def _dosed(self, who: np.ndarray, table: np.ndarray, old: Given, new: Given) -> np.ndarray:
        """The table of exposures with those of whoever has other doses now.

        They do not depend on the draw: a virtual patient's under doses met before are kept.
        """
        weeks = np.union1d(old.weeks, new.weeks)
        before, after = (_spread(given, weeks) for given in (old, new))
        changed = np.flatnonzero((before != after).any(axis=0))
        keys = [(int(who[n]), _told(weeks, after[:, n])) for n in changed]
        if len(self.kept) > KEPT:
            self.kept.clear()
        fresh = {key: n for key, n in zip(keys, changed, strict=True) if key not in self.kept}
        if fresh:
            places = np.array(list(fresh.values()))
            found = self._exposures(who[places], weeks, after[:, places])
            self.kept.update((key, found[..., k].copy()) for k, key in enumerate(fresh))
        table = table.copy()
        table[:, :, 0, changed] = np.stack([self.kept[key] for key in keys], axis=-1)
        return table

    def _exposures(self, who: np.ndarray, weeks: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """Log mg/L of virtual patients with doses each of their own, (3, nodes, patients)."""
        padded = np.resize(np.arange(who.size), 1 << (who.size - 1).bit_length())  # few programs
        doses = list(zip((weeks * WEEK).tolist(), amounts[:, padded], strict=True))
        nodes = meshes.nodes(self.lanes.mesh)
        return exposures(self.pk, self.people.some(who[padded]), 0, doses, nodes)[..., : who.size]


def arms_for(
    likelihood: Likelihood,
    drug: str,
    regimens: Sequence[Regimen],
    weeks: np.ndarray,
    *,
    new_trial: bool = False,
) -> tuple[Arm, ...]:
    """Arms of one drug that share their patients, and their weeks: the visits of all, and `weeks`.

    Luck drawn for these weeks (`Arm.weeks`) and given to every arm makes random numbers common.

    Raises
    ------
    DataError
        If doses may fall on more days than a mesh should hold.
    """
    end = float(np.max(weeks))
    visits = [_visits(regimen, end) for regimen in regimens]
    every = np.unique(np.concatenate([np.asarray(weeks, float), *visits]))
    return tuple(
        _arm(likelihood, drug, regimen, every, np.searchsorted(every, at), new_trial)
        for regimen, at in zip(regimens, visits, strict=True)
    )


def _visits(regimen: Regimen, end: float) -> np.ndarray:
    """The visits' weeks: after the start, up to and with week `end`."""
    if not regimen.rules:
        return np.empty(0)
    return regimen.seen * np.arange(1, np.floor(end / regimen.seen + 1e-9) + 1)


def _arm(
    likelihood: Likelihood,
    drug: str,
    regimen: Regimen,
    weeks: np.ndarray,
    visits: np.ndarray,
    new_trial: bool,
) -> Arm:
    lanes = lanes_for(
        likelihood,
        drug,
        [regimen.plan],
        weeks,
        new_trial=new_trial,
        steps=_steps(regimen, weeks[visits], float(weeks[-1])),
    )
    people = people_for(likelihood, drug, 1)
    at = day_index(lanes, weeks)

    @jax.jit
    def solve(values: Mapping, table: jax.Array, scores: Mapping, easi: jax.Array) -> tuple:
        own = replace(lanes, log_concentration=table, scores=scores, easi=easi)
        found = arms.paths(likelihood.disease, values, own)
        return found.ratio[at], found.stay[at], found.level[at]

    return Arm(regimen, weeks, visits, lanes, people, kinetics(likelihood, drug), solve)


def _steps(regimen: Regimen, visits: np.ndarray, end: float) -> Steps:
    """Days on which a dose may fall, whatever is decided, and those of first doses again."""
    intervals = [rule.interval for rule in regimen.rules if rule.interval is not None]
    weeks = [*regimen.plan.weeks(end), *visits.tolist()]
    found: set[float] = set()
    while weeks:
        week = weeks.pop()
        if week <= end and round(week, DIGITS) not in found:
            found.add(round(week, DIGITS))
            weeks += [week + interval for interval in intervals]
        if len(found) > MOST_DAYS:
            what = f"its doses may fall on over {MOST_DAYS} days"
            remedy = "Ask for an earlier week, or give intervals that are no slip of the pen"
            raise DataError([Fault(f"regimen '{regimen}'", what, remedy)])
    again = visits if any(rule.act == "re-treat" for rule in regimen.rules) else ()
    return Steps(
        frozenset(week * WEEK for week in found), frozenset(float(v) * WEEK for v in again)
    )


def _spread(given: Given, weeks: np.ndarray) -> np.ndarray:
    """The amounts of doses, a row a week of `weeks`."""
    found = np.zeros((weeks.size, given.amounts.shape[1]))
    found[np.searchsorted(weeks, given.weeks)] = given.amounts
    return found


def _told(weeks: np.ndarray, amounts: np.ndarray) -> bytes:
    """One patient's doses as a key."""
    given = amounts > 0
    return np.concatenate([weeks[given], amounts[given]]).tobytes()
