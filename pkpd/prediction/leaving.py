"""Patients who leave and are seen all the same, without the drug: the estimand treatment-policy.

Who leaves a regimen takes no more of its doses, and no other treatment, and the model follows them
off the drug. Each virtual patient has one week of leaving, spread evenly over patients from `start`
to the end, and drawn beforehand: so what is in the blood after it does not depend on the draw. How
likely that week was does, and weighs them:

    w = (s(a) - s(b)) / ((b - a) s(start))

with [a, b] the step of the mesh that holds the week, s the probability of still being in the trial.
Sums of w over those whose week is past stand for those who left, whatever their week.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pkpd.arm_level.trajectories import Lanes

WEEK = 7.0


@dataclass(frozen=True)
class Leavers:
    """The plan's patients, or the first of them, the doses of each ending in a week of their own.

    `week` is of shape (patients), `start` the week from which they may leave; `lanes` are those of
    the plan but for concentrations.
    """

    start: float
    week: Float[np.ndarray, " patients"]
    lanes: Lanes

    def weight(
        self, stay: Float[Array, "days runs patients"], mesh: np.ndarray, at: np.ndarray
    ) -> Float[Array, "visits runs patients"]:
        """How likely each left in their week, at places `at` of `mesh`; 0 before it.

        `stay` is the probability of still being in the trial, on drug, at the days of `mesh`, of
        these patients.
        """
        day, who = self.week * WEEK, np.arange(self.week.size)
        begun, days = stay[np.searchsorted(mesh, self.start * WEEK - 1e-6)], jnp.asarray(mesh)
        step = jnp.searchsorted(days, day, side="right") - 1
        fell = (stay[step, :, who] - stay[step + 1, :, who]).T / (days[step + 1] - days[step])
        return fell / begun * (day < days[at, None])[:, None]


def weeks_of_leaving(
    patients: int, start: float, end: float, seed: int
) -> Float[np.ndarray, " patients"]:
    """One week a patient, evenly from `start` to `end`, in an order of chance."""
    share = (np.random.default_rng((seed, patients)).permutation(patients) + 0.5) / patients
    return start + (end - start) * share


def ended(
    doses: list[tuple[float, float | np.ndarray]], week: Float[np.ndarray, " patients"]
) -> list[tuple[float, float | np.ndarray]]:
    """(day, mg) with no doses to a patient after their week."""
    return [(day, np.where(day <= week * WEEK, amount, 0.0)) for day, amount in doses]
