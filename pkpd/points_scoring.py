"""Score points beside a run's own (`points.scored`): set after set, each kept as it ends.

Of many subjects a part of the points is spent on those alone whose sets differ most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pkpd.checkpoint import Checkpoint
from pkpd.individual.kept_mesh import replanned
from pkpd.points.fewer import some_of
from pkpd.points.gathering import Gathered
from pkpd.points.heights import Heights
from pkpd.points.scored import Asked, Scored, Set, of_some, one_set
from pkpd.points_search import mode_of, remember, some_draws, start_of
from pkpd.settings_individual import SCORED_TOGETHER

Progress = Callable[[str, float], None]

ALIKE, NEEDIEST = 0.6, 256
"""Of many subjects this share of score points is of all alike, the rest of so many of them."""


def scored_by(
    heights: Heights, found: Gathered, kept: Checkpoint, progress: Progress
) -> Scored | None:
    """What more points say of the slope; each set is kept as it ends. None where none is wanted."""
    chosen, now = heights.likelihood.settings.sampler, found.now
    count = chosen.score_points // SCORED_TOGETHER
    if not count:
        return None
    all_alike = max(2, round(ALIKE * count)) if now.of_many else count

    def heard(begun: int, done: float) -> None:
        progress("scoring points", (begun + done) / count)

    path = kept.path("scores.npz")
    at = _known_at(path)
    at = mode_of(found.cloud, now) if at is None else at
    asked = Asked(at, found.cloud.centre, np.asarray(found.cloud.drift), found.parts)
    sets = _solved_sets(heights, asked, path, all_alike, partial(heard, 0))
    scored = Scored.of(found.cloud, at, sets)
    if all_alike < count:
        places = scored.neediest(found.cloud, now.spread, NEEDIEST)
        part = some_of(heights.likelihood, places)
        some, times = now.only(places), (count - all_alike) * len(now.proposal.mean) // len(places)
        if part:
            start = replanned(start_of(part, some, None), some_draws(part, some, chosen.seed))
            more = _solved_sets(
                Heights(start.likelihood), asked.only(places), kept.path("scores-neediest.npz"),
                times, lambda done: heard(all_alike, done / times * (count - all_alike)),
            )  # fmt: skip
            sets += [of_some(each, places, len(now.proposal.mean)) for each in more]
            scored = Scored.of(found.cloud, at, sets)
    progress("scoring points", 1.0)
    return scored


def _solved_sets(
    heights: Heights, asked: Asked, path: Path, count: int, heard: Callable[[float], None]
) -> list[Set]:
    """So many sets, after those that a run before has solved; each kept as it ends."""
    sets, seed = _sets(path, asked.at), heights.likelihood.settings.sampler.seed
    for k in range(len(sets), count):
        heard(k)
        sets.append(one_set(heights, asked, seed + 5000 + k))
        log, means = (np.stack(part) for part in zip(*sets, strict=True))
        remember(path, {"at": asked.at, "log": log, "means": means})
    return sets


def _sets(path: Path, at: Float[np.ndarray, " P"]) -> list[Set]:
    """The sets that a run before has solved at a population."""
    known = _known_at(path)
    if known is None or not np.array_equal(known, at):
        return []
    with np.load(path) as file:
        return list(zip(file["log"], file["means"], strict=True))


def _known_at(path: Path) -> Float[np.ndarray, " P"] | None:
    """The population that a run before has solved sets at."""
    if not path.is_file():
        return None
    with np.load(path) as file:
        return file.get("at", None)
