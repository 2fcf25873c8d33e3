"""One simulated trial after another: truth, data, fit, decision, and what was true of that.

Shares are the package's closed form over the virtual patients (`decision.shares`), quantities and
choices its own (`decision.quantities`); the truth is the same at the true parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import jax
import jax.numpy as jnp
import numpy as np
import redrawn_trial
import sbc
from decisions_told import KEPT
from jaxtyping import Array, Float
from redrawn_trial import DECIDED, FOLLOWED, INTERVALS, LABELS, OUTPUT, VIRTUAL
from walking import Walker

from pkpd.decision.asked import DecisionAsked
from pkpd.decision.quantities import ByDraw, Choices, by_draw, choices, summaries
from pkpd.decision.shares import Followed, responding, shares
from pkpd.decision.weighed import even
from pkpd.diagnosis.calibration import ranks, thinned
from pkpd.errors import FitError
from pkpd.individual.outcomes import drawn
from pkpd.individual.problem import population_space
from pkpd.settings import Predictions
from pkpd.variation.standard import prior_draws

ENDS = ("lower", "value", "upper")
NOISELESS = {"flare_sd": 0.0, "flare_memory": 1.0, "visit_memory": 1e-6, "missed": 0.0,
             "iga_easi": 1.0, "iga_easi_trial_sd": 0.0, "iga_sd": 1.0}  # fmt: skip
"""What of an arm-level model's visit there is none of here; luck of two visits is independent."""

Named = Mapping[str, Array]


def asked() -> DecisionAsked:
    """What is decided: margins, probability, level and loss as `pkpd decide` has them."""
    usual = Predictions()
    return DecisionAsked(
        margin=usual.margin, kept_share=usual.kept_share, probability=usual.probability,
        level=usual.level, intervals=INTERVALS[:-1], weeks=DECIDED, endpoint="EASI75",
        estimand="hypothetical", drugs=("simulated",), loss=usual.loss,
    )  # fmt: skip


def memory(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Half-life in days of the slow way back: ln 2 / (kmem (1 - phi))."""
    return np.log(2) / (np.asarray(values["kmem"]) * (1 - np.asarray(values["phi"])))


def share_program(
    count: int = VIRTUAL, tolerance: float = redrawn_trial.OF_VIRTUAL
) -> Callable[[Named], Array]:
    """Compiled: named values of draws -> shares (draws, 1, regimens, visits)."""
    likelihood = redrawn_trial.virtual(count, tolerance)
    scores = {n: jnp.tile(z, len(INTERVALS)) for n, z in redrawn_trial.scores(count).items()}
    everyone = np.ones((1, count))

    def one(values: Named) -> Float[Array, "groups regimens visits"]:
        flat = likelihood.fitted({**values, **scores})[0][OUTPUT]
        noise = values[f"{OUTPUT}_lognormal"]
        ratio = jnp.moveaxis(flat.reshape(len(INTERVALS), count, -1), 2, 0)
        ratio = ratio * jnp.exp(noise**2 / 2)  # `shares` takes means, the likelihood has medians
        seen = Followed(ratio, jnp.ones_like(ratio), jnp.ones(count))
        luck = {**NOISELESS, "visit_sd": noise, "iga_easi_trial": jnp.zeros(1)}
        there = responding(luck, seen, FOLLOWED, endpoint="EASI75", trial=0)
        return shares(jnp.zeros(()), seen.stay, there, everyone, "hypothetical")[0]

    return jax.jit(lambda draws: jax.lax.map(one, draws))


@dataclass(frozen=True)
class Trials:
    """Trials by number; programs are compiled once. The same number gives the same row."""

    seed: int = sbc.SEED

    @cached_property
    def walker(self) -> Walker:
        """The fit of a trial's records."""
        return Walker(redrawn_trial.trial())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The population's numbers."""
        return population_space(self.walker.likelihood).names

    @cached_property
    def share(self) -> Callable[[Named], Array]:
        """See `share_program`."""
        return share_program()

    @cached_property
    def simulate(self) -> Callable[[Named, Array], Array]:
        """Compiled: (truth, key) -> observations, solved on a finer mesh than the fit's."""
        exact = self.walker.likelihood.tightened()
        stream = exact.solver.design.streams[0]
        return jax.jit(lambda values, key: drawn(stream, exact.fitted(values)[0], values, key))

    def truth(self, k: int) -> dict[str, np.ndarray]:
        """The truth of trial k, random effects among it: a draw from the prior."""
        draws = prior_draws(self.walker.likelihood.space, 1, self.seed + k)
        return {name: value[0] for name, value in draws.items()}

    def data(self, k: int, truth: Mapping[str, np.ndarray]) -> list[Array]:
        """What is seen in trial k."""
        return [self.simulate({n: jnp.asarray(v) for n, v in truth.items()},
                              jax.random.key(self.seed + k))]  # fmt: skip

    def row(self, k: int) -> dict[str, object]:
        """The row of trial k: what was decided, and what was true."""
        began = time.process_time()
        truth = self.truth(k)
        first = {"simulation": k, "memory_true": float(memory(truth))}
        try:
            found = self._fitted(k, truth)
        except (FitError, ValueError, RuntimeError, ArithmeticError) as error:
            found = {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        return {**first, **found, "cpu_seconds": time.process_time() - began}

    def _fitted(self, k: int, truth: Mapping[str, np.ndarray]) -> dict[str, object]:
        sampler = redrawn_trial.SAMPLER.model_copy(update={"seed": self.seed + k})
        tree = self.walker.draws(self.data(k, truth), sampler)
        draws = sbc.flat_draws(tree, self.names)
        kept = {name: thinned(draws[name], KEPT) for name in self.names}
        both = {n: jnp.concatenate([jnp.asarray(truth[n])[None], v]) for n, v in kept.items()}
        share = np.asarray(self.share(both))
        if not np.isfinite(share).all():
            raise FitError("a share is no number")
        found: dict[str, object] = {"memory_said": float(np.median(memory(draws)))}
        for week in DECIDED:
            found |= {f"{n}_{week:g}": v for n, v in held(share[1:], share[:1], week).items()}
        return found | sbc.health(tree, self.names) | {"failed": ""}


@cache
def trials(seed: int) -> Trials:
    """A process's own programs."""
    return Trials(seed)


def row(item: tuple[int, int]) -> dict[str, object]:
    """The row of a seed's trial k, by this process."""
    seed, k = item
    return trials(seed).row(k)


def held(share: np.ndarray, true: np.ndarray, week: float) -> dict[str, float]:
    """What a posterior's shares (draws, 1, regimens, visits) say at a week, and what is true.

    Names end in the arm's where there is one for each.
    """
    said, fact = _quantities(share, week), _quantities(true, week)
    chance = summaries(said, even(share).weight, asked().level)
    found: dict[str, float] = {}
    for r, label in enumerate(LABELS):
        each = {"share_true": fact["proportion"][0, 0, r]}
        for name, short in (("proportion", "share"), ("difference", "difference")):
            low, value, high = (getattr(chance[name], end)[0, r] for end in ENDS)
            each |= {f"{short}_mean": value, f"{short}_lower": low, f"{short}_upper": high,
                     f"{short}_inside": int(low <= fact[name][0, 0, r] <= high)}  # fmt: skip
        place = thinned(said["proportion"][:, 0, r], sbc.KEEP)
        each["share_rank"] = int(ranks(fact["proportion"][0, :, r], place[None])[0])
        for name, short in (("prob_kept_share", "kept"), ("prob_loss_within_margin", "within")):
            each[f"prob_{short}"] = chance[name].value[0, r]
            each[f"{short}_true"] = int(fact[name][0, 0, r])
        found |= {f"{name}_{label}": value for name, value in each.items()}
    lost, real = chance["expected_loss"].value[0], fact["expected_loss"][0, 0]
    return found | _chosen(choices(chance, asked()), fact, lost, real)


def _quantities(share: np.ndarray, week: float) -> ByDraw:
    return by_draw(share, redrawn_trial.regimens(), asked(), week)


def _chosen(made: Choices, fact: ByDraw, said: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Choices by their weeks between doses, what they should have been, and the loss of each."""
    known = choices(summaries(fact, np.ones(1), asked().level), asked())
    best = made.least_loss[0]
    return {
        "longest_kept": _weeks(made.longest_kept[0]),
        "longest_kept_true": _weeks(known.longest_kept[0]),
        "longest_within": _weeks(made.longest_within_margin[0]),
        "longest_within_true": _weeks(known.longest_within_margin[0]),
        "least_loss": _weeks(best),
        "least_loss_true": _weeks(known.least_loss[0]),
        "loss_said": said[best],
        "loss_chosen": real[best],
        "loss_best": real.min(),
    }


def _weeks(place: int | None) -> float:
    return float("nan") if place is None else INTERVALS[place]
