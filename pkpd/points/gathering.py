"""Many points about the mode: subjects drawn in closer, parts fitted, then solved at every node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from pkpd.points.clouds import Clouds
from pkpd.points.heights import Heights
from pkpd.points.mixture import Mixture
from pkpd.points.nodes import Nodes, nodes
from pkpd.points.proposal import Proposal
from pkpd.points.rounds import LATER, Counts, Standing, closer, drawn_in, in_parts, solved
from pkpd.points.tilted import Tilted, tilted

SLOPED = 144
"""Points of each subject that slopes are regressed on."""

SOME = 512
"""Points, at most, that parts are fitted to."""

AGAIN = 2
"""How often subjects' proposals follow to a node away from the centre."""

Heard = Callable[[float], None]


@dataclass(frozen=True)
class Gathered:
    """The points, where the rounds before ended, and the parts that each node's come from."""

    clouds: Clouds
    now: Standing
    parts: tuple[Mixture, ...]

    def told(self) -> dict[str, np.ndarray]:
        """What has been solved, as arrays."""
        each = [
            {"heights": c.heights, "leans": np.asarray(c.leans), "bend": c.bend,
             "drift": np.asarray(c.drift), "ways": np.asarray(c.ways),
             "columns": c.columns, "arch": c.arch,
             "share": p.share, "mean": p.mean, "covariance": p.covariance}
            for c, p in zip(self.clouds.each, self.parts, strict=True)
        ]  # fmt: skip
        return {f"node_{name}": np.stack([own[name] for own in each]) for name in each[0]}


def gathered(heights: Heights, now: Standing, count: int, seed: int, heard: Heard) -> Gathered:
    """`count` points about each subject's mean, and an eighth as many of the law, at each node."""
    now = closer(heights, now, seed + 1000)
    heard(0.4)
    found: list[tuple[Tilted, Mixture]] = []
    placed = _nodes(heights, now)
    for number, there in enumerate(_standings(heights, now, placed)):
        for again in range(AGAIN if number else 0):
            there, _ = drawn_in(heights, there, LATER, seed + 2000 + again)
        parts = in_parts(heights, there, Counts(min(SOME, count)), seed + 3000)
        cloud = solved(heights, there, Counts(count, SLOPED), seed, by=parts, exact=True)
        found.append((cloud, parts))
        heard(0.4 + 0.6 * len(found) / len(placed.away))
    each, parts = zip(*found, strict=True)
    return Gathered(Clouds(each, placed), now, parts)


def remembered_points(
    heights: Heights, now: Standing, known: dict[str, np.ndarray], count: int, seed: int
) -> Gathered:
    """The same from what was told of it: points are drawn once more, not solved."""
    placed, each, parts = _nodes(heights, now), [], []
    for number, there in enumerate(_standings(heights, now, placed)):
        own = {name.removeprefix("node_"): v[number] for name, v in known.items()}
        parts.append(Mixture(own["share"], own["mean"], own["covariance"]))
        law = heights.split.law(jnp.asarray(there.centre))
        cloud = tilted(
            heights.split, there.centre, parts[-1].points(law, count, seed), own["heights"]
        )
        made = {name: jnp.asarray(own[name]) for name in ("leans", "drift", "ways")}
        told = {name: own[name] for name in ("bend", "columns", "arch")}
        each.append(replace(cloud, **told, **made))
    return Gathered(Clouds(tuple(each), placed), now, tuple(parts))


def _nodes(heights: Heights, now: Standing) -> Nodes:
    return nodes(heights.split.equations, now.spread)


def _standings(heights: Heights, now: Standing, placed: Nodes) -> Iterable[Standing]:
    """At each node the population on the ridge, subjects' proposals gone with their law."""
    before = np.asarray(heights.split.law(jnp.asarray(now.centre))[0])
    for away in placed.away:
        centre = now.centre + placed.along @ away
        shift = np.asarray(heights.split.law(jnp.asarray(centre))[0]) - before
        own = Proposal(now.proposal.mean + shift, now.proposal.covariance)
        yield replace(now, centre=centre, proposal=own)
