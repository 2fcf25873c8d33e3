"""What rules decide from what patients show at visits: pure, for one patient or many at once.

At a visit, in this order: doses due before it have been given; what the visit shows is remembered;
the first rule that holds acts, one a visit; a dose due at the visit is given as the rule left it.
A visit that a patient misses is no visit: nothing is learnt and nothing decided.

    extend    dosing goes on at less than the rule's interval, the response is there and was at
              every visit for so many weeks: the next dose is one new interval after the last
    shorten   dosing goes on at more than the rule's interval, the response was there once and is
              not now: the next dose is one new interval after the last, or now if that is past
    stop      dosing goes on, the response is kept as for extend: no dose from this visit on
    re-treat  no dose is due any more, the response was there once and is not now: the first dose
              is given at this visit, then one every interval

The plan's last dose ends what extend and shorten make of it; re-treatment goes on until a rule
stops it. A rule without an amount gives what was due next, re-treatment what was given last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pkpd.regimen.clauses import DIGITS, Every
from pkpd.regimen.rules import Rule
from pkpd.regimen.value import Dose, Regimen

_SLACK = 1e-6  # weeks
Responses = Mapping[str, Bool[np.ndarray, "visits patients"]]


@dataclass(frozen=True)
class Visit:
    """What one patient shows at `week`: whether each response is there."""

    week: float
    responses: Mapping[str, bool]


@dataclass(frozen=True)
class Given:
    """Doses of patients: mg at `weeks`, 0 where a patient has none; first re-treatment, else inf.

    `due` and `due_amount` are the next dose of each patient beyond those, infinite where none is.
    """

    weeks: Float[np.ndarray, " doses"]
    amounts: Float[np.ndarray, "doses patients"]
    retreated: Float[np.ndarray, " patients"]
    due: Float[np.ndarray, " patients"]
    due_amount: Float[np.ndarray, " patients"]

    def same_as(self, other: Given) -> bool:
        """Whether every patient has the same doses at the same weeks."""
        return np.array_equal(self.weeks, other.weeks) and np.array_equal(
            self.amounts, other.amounts
        )


def next_dose(given: Regimen, history: Sequence[Visit], weight: float | None = None) -> Dose | None:
    """The dose that follows a patient's visits so far, at the last visit or later; None if none.

    Examples
    --------
    >>> from pkpd.regimen import regimen
    >>> text = "300 mg every 4 weeks until week 8, re-treat every 4 weeks when EASI-50 is lost"
    >>> visits = [Visit(week, {"EASI50": week < 16}) for week in (4, 8, 12, 16)]
    >>> next_dose(regimen(text), visits[:3]), next_dose(regimen(text), visits)
    (None, Dose(week=16.0, amount=300.0))
    """
    weeks = np.array([visit.week for visit in history], float)
    names = {rule.response for rule in given.rules}
    shown = {n: np.array([[visit.responses[n]] for visit in history], bool) for n in names}
    last = float(weeks[-1]) if weeks.size else 0.0
    found = course(
        given,
        weeks,
        {name: part.reshape(-1, 1) for name, part in shown.items()},
        np.ones((weeks.size, 1), bool),
        np.array([np.nan if weight is None else weight]),
        until=last - 2 * _SLACK,
    )
    if not np.isfinite(found.due[0]):
        return None
    return Dose(float(found.due[0]), float(found.due_amount[0]))


def course(
    given: Regimen,
    weeks: Float[np.ndarray, " visits"],
    responses: Responses,
    seen: Bool[np.ndarray, "visits patients"],
    weights: Float[np.ndarray, " patients"],
    *,
    until: float,
) -> Given:
    """The doses up to week `until` of patients who show `responses` at visits they are `seen` at.

    `weeks` are the visits', increasing; `weights` in kg matter where amounts go by weight.
    """
    patients = _Patients.of(given, weights, max(until, weeks[-1] if weeks.size else 0.0))
    memory = {rule.response: _Memory.empty(weights.size) for rule in given.rules}
    for k, week in enumerate(weeks):
        patients.give(week - _SLACK)
        free = seen[k].copy()
        before = memory
        memory = {n: m.after(week, responses[n][k], seen[k]) for n, m in memory.items()}
        for rule in given.rules:
            now = memory[rule.response]
            kept = now.there & (week - now.since >= (rule.kept or 0.0) - _SLACK)
            lost = before[rule.response].had & ~now.there
            acts = free & patients.may(rule) & (kept if rule.kept is not None else lost)
            patients.act(rule, week, acts)
            free &= ~acts
    patients.give(until + _SLACK)
    return patients.given(until)


def _beyond(plan: Regimen, until: float) -> float:
    """A week up to which a plan's doses hold one past `until`, where it has one."""
    if plan.ends:
        return np.inf
    longest = max(c.interval for c in plan.clauses if isinstance(c, Every))
    far = max([until, *(clause.first for clause in plan.clauses)]) + longest
    while plan.weeks(far)[-1:] <= (until,):  # all that lies beyond was missed
        far += longest
    return far


@dataclass(frozen=True)
class _Memory:
    """Of a response: whether it is there, since which visit without a break, and ever was."""

    there: np.ndarray
    since: np.ndarray
    had: np.ndarray

    @classmethod
    def empty(cls, count: int) -> _Memory:
        return cls(np.zeros(count, bool), np.full(count, np.inf), np.zeros(count, bool))

    def after(self, week: float, shown: np.ndarray, seen: np.ndarray) -> _Memory:
        there = np.where(seen, shown, self.there)
        since = np.where(there, np.minimum(self.since, week), np.inf)
        return _Memory(there, since, self.had | (seen & shown))


class _Patients:
    """Patients between visits: the dose each is due, and those given so far. Changed in place."""

    def __init__(self, plan_weeks: np.ndarray, plan_amounts: np.ndarray, end: float) -> None:
        count = plan_amounts.shape[1]
        self.plan_weeks = np.append(plan_weeks, np.inf)
        self.plan_amounts = np.vstack([plan_amounts, np.zeros((1, count))])
        self.place = np.zeros(count, int)
        self.on_plan = np.ones(count, bool)
        self.interval = np.full(count, np.inf)
        self.end = np.full(count, end)
        self.due = np.full(count, self.plan_weeks[0])
        self.due_amount = self.plan_amounts[0].copy()
        self.last = np.full(count, -np.inf)
        self.last_amount = np.zeros(count)
        self.retreated = np.full(count, np.inf)
        self.log: list[tuple[np.ndarray, np.ndarray]] = []

    @classmethod
    def of(cls, given: Regimen, weights: np.ndarray, until: float) -> _Patients:
        """Patients before their first dose, their plan known past week `until`."""
        plan = given.plan
        far = _beyond(plan, until)
        if plan.edges and not (np.isfinite(weights) & (weights > 0)).all():
            plan.doses(far)  # tells that weights are needed
        weeks, amounts = plan.doses_by_weight(far, weights)
        if not plan.edges and weeks.size:
            amounts = np.tile(np.array([[d.amount] for d in plan.doses(far)]), weights.size)
        last = plan.last_dose_week() if plan.ends else np.inf
        return cls(weeks, amounts, -np.inf if last is None else last)

    def give(self, until: float) -> None:
        """Give every dose due up to week `until`."""
        while (now := self.due <= until).any():
            self.log.append((np.where(now, self.due, np.nan), np.where(now, self.due_amount, 0.0)))
            self.last = np.where(now, self.due, self.last)
            self.last_amount = np.where(now, self.due_amount, self.last_amount)
            self.place = self.place + (now & self.on_plan)
            self._look_ahead(now)

    def _look_ahead(self, who: np.ndarray) -> None:
        """The next dose after the last: the plan's, or one interval later, up to the end."""
        column = np.arange(self.place.size)
        planned = self.plan_weeks[self.place], self.plan_amounts[self.place, column]
        later = np.round(self.last + self.interval, DIGITS)
        own = np.where(later <= self.end + _SLACK, later, np.inf)
        due = np.where(self.on_plan, planned[0], own)
        amount = np.where(self.on_plan, planned[1], self.due_amount)
        self.due = np.where(who, due, self.due)
        self.due_amount = np.where(who, amount, self.due_amount)

    def may(self, rule: Rule) -> np.ndarray:
        """Whose dosing is such that a rule could act."""
        due = np.isfinite(self.due)
        if rule.act == "re-treat":
            return ~due & np.isfinite(self.last)
        if rule.act == "stop" or rule.interval is None:
            return due
        with np.errstate(invalid="ignore"):
            now = np.where(self.on_plan, self.due - self.last, self.interval)
        shorter = now < rule.interval - _SLACK
        longer = now > rule.interval + _SLACK
        return due & np.isfinite(self.last) & (shorter if rule.act == "extend" else longer)

    def act(self, rule: Rule, week: float, who: np.ndarray) -> None:
        """Let a rule act for some at a visit."""
        if rule.act == "stop" or rule.interval is None:
            self.due = np.where(who, np.inf, self.due)
            return
        again = rule.act == "re-treat"
        self.on_plan = self.on_plan & ~who
        self.interval = np.where(who, rule.interval, self.interval)
        before = self.last_amount if again else self.due_amount
        amount = before if rule.amount is None else np.full(who.size, rule.amount)
        self.due_amount = np.where(who, amount, self.due_amount)
        if again:
            self.end = np.where(who, np.inf, self.end)
            self.retreated = np.where(who, np.minimum(self.retreated, week), self.retreated)
            self.due = np.where(who, week, self.due)
            return
        later = np.maximum(np.round(self.last + rule.interval, DIGITS), week)
        later = np.where(later <= self.end + _SLACK, later, np.inf)
        self.due = np.where(who, later, self.due)

    def given(self, until: float) -> Given:
        """The doses given, gathered by week."""
        found = [when[np.isfinite(when)] for when, _ in self.log]
        weeks = np.unique(np.round(np.concatenate([np.empty(0), *found]), DIGITS))
        amounts = np.zeros((weeks.size, self.place.size))
        for when, mg in self.log:
            who = np.flatnonzero(np.isfinite(when))
            amounts[np.searchsorted(weeks, np.round(when[who], DIGITS)), who] += mg[who]
        return Given(weeks, amounts, self.retreated, self.due, self.due_amount)
