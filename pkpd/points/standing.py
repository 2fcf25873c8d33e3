"""Where the search for the population's mode stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from pkpd.points.fewer import MANY
from pkpd.points.proposal import Proposal

STAYS = 2.0
"""A round that moves no number by more, in its own posterior SDs, is the last: few points do not
tell more closely where the mode is."""


@dataclass(frozen=True)
class Standing:
    """Where the rounds are: the population, its covariance, the subjects' proposals.

    `done` rounds; whether the population is `free` to move; how far the last round moved any
    number of it, in that number's own posterior SDs (infinite: it would have moved on); how points
    `drift`, once that has been looked for, on the scales of their parameters.
    """

    centre: Float[np.ndarray, " P"]
    spread: Float[np.ndarray, "P P"]
    proposal: Proposal
    done: int = 0
    free: bool = False
    moved: float = np.inf
    drift: Float[np.ndarray, "N E q"] | None = None

    @property
    def settled(self) -> bool:
        """Whether the population stays where it is."""
        return self.moved <= STAYS

    def only(self, places: Int[np.ndarray, " n"]) -> Standing:
        """The same of some subjects."""
        own = Proposal(self.proposal.mean[places], self.proposal.covariance[places])
        drift = None if self.drift is None else self.drift[places]
        return replace(self, proposal=own, drift=drift)

    @property
    def of_many(self) -> bool:
        """Whether there are so many subjects that means over them need few points of each."""
        return len(self.proposal.mean) >= MANY

    @property
    def sd(self) -> Float[np.ndarray, " P"]:
        """The population's SDs."""
        return np.sqrt(np.diag(self.spread))
