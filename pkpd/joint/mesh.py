"""The individuals' mesh of a joint fit: one that holds wherever its prior goes.

Arms are solved by a rule that no rate can upset (`mechanism.exponential`), so their mode may lie
anywhere. Individuals go by explicit steps, which blow up where a rate times a part passes about
2.8: planned at the prior medians alone, they are no number at rates that the arms find best.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.individual.build import solved
from pkpd.joint.problem import JointLikelihood
from pkpd.variation import standard

DRAWS, SEED = 8, 1
"""Draws of the joint prior, effects of all subjects among them, at which the mesh must hold."""

REACH = 1.5
"""Standardised coordinates of these draws at most: the farthest of many subjects would else set
every subject's steps."""


def with_mesh(bare: JointLikelihood) -> JointLikelihood:
    """The same, the individuals' mesh planned; `FitError` where none holds."""
    draws = jax.random.normal(jax.random.key(SEED), (DRAWS, bare.space.size))
    points = [_own(bare, jnp.clip(z, -REACH, REACH)) for z in draws]
    return replace(bare, individual=solved(bare.individual, points))


def _own(bare: JointLikelihood, z: Float[Array, " size"]) -> dict[str, Array]:
    """The individual level's numbers at flat standardised coordinates."""
    return bare.links.translated(bare.space.unpack(standard.to_natural(bare.space, z)))
