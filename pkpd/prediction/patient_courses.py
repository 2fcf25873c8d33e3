"""Courses of patients to come, for each weighed draw of their effects, under every regimen.

Noise is the same under every regimen: two regimens are compared with the same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.individual.design import Stream
from pkpd.individual.numbers import outcome, outcome_values
from pkpd.individual.outcomes import predictor
from pkpd.individual.problem import IndividualLikelihood
from pkpd.prediction.patient_effects import PatientEffects, arrays, chunks, joined
from pkpd.prediction.responses import Response, chance, holds
from pkpd.variation import outcome as outcomes
from pkpd.variation.outcome_event import Hazards

ByName = Mapping[str, Float[np.ndarray, "S R N W"]]
Lost = Float[np.ndarray, " N"]
STAYING = "staying"


@dataclass(frozen=True)
class Courses:
    """Everything by name, draws S, regimens R, patients N, weeks to come W.

    `level` is what the likelihood of an observation is about (`predictor`), `course` the value
    without noise, `seen` a visit's with noise, `chance` a response's P(visit shows it), `holds`
    whether the course without noise does. An event's `course` is P(not yet | not by the start).
    """

    level: ByName
    course: ByName
    seen: ByName
    chance: ByName
    holds: ByName


@dataclass(frozen=True)
class Asker:
    """One compiled look at all lanes: regimens R, patients N, and visits, the start's first."""

    likelihood: IndividualLikelihood
    responses: tuple[Response, ...]
    regimens: int

    def shaped(self, flat: Array) -> Float[Array, "R N W"]:
        """Rows of a stream by regimen, patient and visit."""
        patients = self.likelihood.solver.design.count // self.regimens
        return flat.reshape(self.regimens, patients, -1)

    def look(self, values: Mapping[str, Array], key: Array) -> dict[str, dict[str, Array]]:
        """The fields of `Courses` for one draw; effects are tiled over regimens here."""
        effects = {v.name for v in self.likelihood.space.variables if v.dim is not None}
        wide = {n: jnp.tile(v, self.regimens) if n in effects else v for n, v in values.items()}
        found: dict[str, dict[str, Array]] = {n: {} for n in Courses.__dataclass_fields__}
        streams = self.likelihood.solver.design.streams
        keys = jax.random.split(key, len(streams))
        fitted = self.likelihood.fitted(wide)
        for stream, outputs, own in zip(streams, fitted, keys, strict=True):
            self._add(found, stream, outputs, wide, own)
        return found

    def _add(
        self, found: dict, stream: Stream, outputs: Mapping[str, Array], values: Mapping, key: Array
    ) -> None:
        seen, f = stream.observation, predictor(stream, outputs)
        if isinstance(f, Hazards):
            grown = self.shaped(f.cumulative)
            name = STAYING if seen.label == "dropout" else f"no {seen.label}"
            found["course"][name] = jnp.exp(grown[..., :1] - grown)[..., 1:]
            return
        f, q = self.shaped(f)[..., 1:], outcome_values(seen, values)
        spec = outcome(seen)
        new = jax.vmap(lambda each: outcomes.draw(spec, key, each, q))(f)
        course = outcomes.mean(spec, f, q) if seen.outcome != "bounded" else f
        if seen.outcome == "bounded":
            course = jnp.clip(f, seen.low, seen.high)
        back = jnp.exp if seen.log else lambda value: value
        found["level"][seen.label] = f
        found["course"][seen.label], found["seen"][seen.label] = back(course), back(new)
        if stream.times is None and seen.outcome != "ordinal":
            return
        base = 1.0 if stream.times is None else self.shaped(jnp.asarray(stream.times))[..., 1:]
        for each in (r for r in self.responses if r.observation == seen.label):
            found["chance"][each.name] = chance(each, seen, f, q, base)
            found["holds"][each.name] = holds(each, f, base)


def courses(asker: Asker, effects: PatientEffects, *, seed: int) -> tuple[Courses, Courses]:
    """Courses of every patient for every weighed draw; before them those of the effects' mode.

    The mode's is one draw, under the typical population.
    """
    count = len(effects.effects)
    mode, drawn = effects.at_mode(), effects.values(np.arange(count))
    values = {n: np.concatenate([np.asarray(mode[n])[None], v]) for n, v in drawn.items()}
    keys = jax.random.split(jax.random.key(seed), count + 1)
    look = jax.jit(jax.vmap(asker.look))
    parts = [
        look(arrays({n: v[at] for n, v in values.items()}), keys[at])
        for at in chunks(count + 1, asker.likelihood.solver.design.count)
    ]
    whole = jax.tree.map(lambda *each: joined([np.asarray(e) for e in each], count + 1), *parts)
    some = (jax.tree.map(lambda each, at=at: each[at], whole) for at in (slice(1), slice(1, None)))
    first, rest = (Courses(**each) for each in some)
    return first, rest


WILD = 1e9
"""Beyond this a course is no course: steps of the mesh broke for an effect too far out."""


def without_lost(drawn: Courses, effects: PatientEffects) -> tuple[Courses, PatientEffects, Lost]:
    """Draws whose course is no number somewhere left out, patient by patient, and their weight.

    A proposal far from the patient's mode may break the mesh; it weighs next to nothing, or the
    forecast is not final.
    """
    every = [*drawn.course.values(), *drawn.seen.values(), *drawn.level.values()]
    bad = np.zeros(effects.weights.shape, bool)
    for each in every:
        bad |= (~np.isfinite(each) | (np.abs(np.nan_to_num(each)) > WILD)).any(axis=(1, 3))
    lost = (effects.weights * bad).sum(axis=0)
    kept = effects.weights * ~bad
    total = kept.sum(axis=0)
    weights = np.where(total > 0, kept / np.where(total > 0, total, 1.0), effects.weights)
    hole = bad[:, None, :, None]
    parts = {
        name: {n: np.where(hole, 0.0, v) for n, v in getattr(drawn, name).items()}
        for name in ("level", "course", "seen", "chance")
    }
    holds = {n: np.where(hole & ~np.isnan(v), 0.0, v) for n, v in drawn.holds.items()}
    return Courses(**parts, holds=holds), replace(effects, weights=weights), lost
