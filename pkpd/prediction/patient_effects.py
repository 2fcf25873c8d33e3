"""What new patients' records say of their random effects: the mode, and weighed draws.

For each draw t_d of the population, M effects z_dm come from q_d and are weighed by

    w_dm = p(y | z_dm, t_d) p(z_dm) / q_d(z_dm),   q_d = 4/5 t_d + 1/5 prior:

four of five from a multivariate t about the patient's conditional mode with the curvature there,
one from the prior, so that no weight is more than five times the likelihood, however far from
normal the posterior is (defensive mixtures: Owen and Zhou 2000, J Am Stat Assoc 95:135-143).

Draws of the population stand for its posterior p(t | data of the fit), so that the pairs so weighed
stand for p(z, t | data, y): the patient's own records move the population, too, as far as one
patient can. The tail of the weights is smoothed, and its Pareto k says whether they can be believed
(Vehtari and others 2024, J Mach Learn Res 25:72).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import gammaln

from pkpd.diagnosis.leave_out import weighed
from pkpd.errors import FitError
from pkpd.individual.modes import Effects, effects_of
from pkpd.individual.problem import IndividualLikelihood

FIFTH, FEWEST, FREEDOM = 5, 1000, 7.0
"""One effect of so many is proposed from the prior; weighed draws at least; degrees of freedom."""

SOFTEST = 0.25
"""Least curvature of a proposal; the prior alone has 1."""

LANES = 512
"""Subjects times draws that are solved at once."""

Named = Mapping[str, np.ndarray]
Heard = Callable[[float], None]


@dataclass(frozen=True)
class Proposal:
    """Conditional modes (D, E, N), factors of the proposals' covariances (D, N, E, E), log det."""

    at: Float[np.ndarray, "D E N"]
    factor: Float[np.ndarray, "D N E E"]
    log_det: Float[np.ndarray, "D N"]


@dataclass(frozen=True)
class PatientEffects:
    """What is known of N patients' E standardised effects.

    `typical` is the population at its posterior medians, `mode` (E, N) the effects' mode there and
    `curvature` minus the Hessian of the log-density; `population` has D draws by name, `effects`
    S = D M weighed draws, `draw` which population each belongs to, `weights` (S, N) sum to 1.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    typical: Named
    mode: Float[np.ndarray, "E N"]
    curvature: Float[np.ndarray, "N E E"]
    population: Named
    effects: Float[np.ndarray, "S E N"]
    draw: Int[np.ndarray, " S"]
    weights: Float[np.ndarray, "S N"]
    pareto_k: Float[np.ndarray, " N"]

    @cached_property
    def ess(self) -> Float[np.ndarray, " N"]:
        """How many independent draws the weights are worth: 1 over the sum of their squares."""
        return 1 / (self.weights**2).sum(axis=0)

    @cached_property
    def ess_population(self) -> Float[np.ndarray, " N"]:
        """The same of the draws of the population, the weights of each added up."""
        return 1 / (by_draw(self.weights, self.draw) ** 2).sum(axis=0)

    def covariance(self) -> Float[np.ndarray, "N E E"]:
        """Of the effects about their mode, the population held."""
        return np.linalg.inv(self.curvature)

    def values(self, s: Int[np.ndarray, " some"]) -> dict[str, np.ndarray]:
        """Population and effects by name for some of the weighed draws, these first."""
        population = {name: value[self.draw[s]] for name, value in self.population.items()}
        return population | {n: self.effects[s, k] for k, n in enumerate(self.names)}

    def at_mode(self) -> dict[str, np.ndarray]:
        """The typical population with the effects at their mode."""
        return {**self.typical, **{n: self.mode[k] for k, n in enumerate(self.names)}}


def arrays(values: Named) -> dict[str, Array]:
    """The same for JAX."""
    return {name: jnp.asarray(value) for name, value in values.items()}


def by_draw(values: np.ndarray, draw: Int[np.ndarray, " S"]) -> np.ndarray:
    """Sums over the first axis of what belongs to the same draw of the population."""
    found = np.zeros((int(draw.max()) + 1, *values.shape[1:]))
    np.add.at(found, draw, values)
    return found


def typical_population(draws: Named) -> dict[str, np.ndarray]:
    """Posterior medians of the population's numbers."""
    return {name: np.median(value, axis=0) for name, value in draws.items()}


def patient_effects(
    likelihood: IndividualLikelihood, draws: Named, *, seed: int, heard: Heard = lambda share: None
) -> PatientEffects:
    """Mode and weighed draws of the effects of a likelihood's subjects; see the module.

    `draws` are of the population alone, by name, shape (D,). Raises `FitError` where the records
    of some patient have no density anywhere that was tried.
    """
    effects = effects_of(likelihood)
    first = typical_population(draws)
    asked = {n: np.concatenate([first[n][None], value]) for n, value in draws.items()}
    at, curvature = _modes(effects, asked, lambda share: heard(0.7 * share))
    proposal = _proposal(at[1:], curvature[1:])
    z, log_own = _proposed(proposal, seed)
    count = len(proposal.at)
    draw = np.repeat(np.arange(count), len(z) // count)
    height = _heights(effects, {n: v[draw] for n, v in draws.items()}, z)
    heard(1.0)
    weights, k = _weighed(height - log_own, likelihood.solver.design.subjects)
    return PatientEffects(
        effects.names, likelihood.solver.design.subjects, first, at[0], curvature[0], draws,
        z, draw, weights, k,
    )  # fmt: skip


def chunks(count: int, lanes: int) -> list[np.ndarray]:
    """Places 0 to count - 1 in parts of one size, the last filled up with its own last one."""
    size = max(1, min(count, LANES // max(lanes, 1)))
    starts = range(0, count, size)
    return [np.minimum(np.arange(at, at + size), count - 1) for at in starts]


def joined(parts: list[np.ndarray], count: int) -> np.ndarray:
    """What the parts of `chunks` gave, one after the other, without what only filled up."""
    return np.concatenate(parts)[:count]


def _modes(effects: Effects, asked: Named, heard: Heard) -> tuple[np.ndarray, np.ndarray]:
    """Conditional modes and curvatures at every population, the first one's first."""

    @jax.jit
    def find(population: dict[str, Array], begin: Array) -> tuple[Array, Array]:
        found = jax.vmap(lambda each: effects.find(each, begin))(population)
        return found.at, found.curvature

    lanes = effects.likelihood.solver.design.count
    count = len(next(iter(asked.values())))
    begin, parts = jnp.zeros((effects.rows, lanes)), []
    places = chunks(count, 2 * lanes)  # a search takes more than a run
    for number, at in enumerate(places):
        found = find(arrays({n: v[at] for n, v in asked.items()}), begin)
        parts.append([np.asarray(each) for each in found])
        begin = jnp.asarray(parts[0][0][0])  # the typical population's mode
        heard((number + 1) / len(places))
    at, curvature = ([part[k] for part in parts] for k in (0, 1))
    return joined(at, count), joined(curvature, count)


def _proposal(at: np.ndarray, curvature: np.ndarray) -> Proposal:
    values, vectors = np.linalg.eigh(np.nan_to_num(curvature))
    values = np.maximum(values, SOFTEST)
    factor = vectors / np.sqrt(values)[..., None, :]
    return Proposal(at, factor, -np.log(values).sum(axis=-1))


def _proposed(proposal: Proposal, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws (S, E, N) of the proposals, each fifth the prior's, and log-densities (S, N)."""
    count, rows, lanes = proposal.at.shape
    chance, each = np.random.default_rng(seed), FIFTH * max(1, -(-FEWEST // (FIFTH * count)))
    normal = chance.normal(size=(count, each, lanes, rows))
    size = chance.chisquare(FREEDOM, size=(count, each, lanes)) / FREEDOM
    step = np.einsum("dnij,dmnj->dmin", proposal.factor, normal / np.sqrt(size)[..., None])
    z = proposal.at[:, None] + step
    z[:, ::FIFTH] = np.moveaxis(normal[:, ::FIFTH], 3, 2)
    log_own = _log_mixture(proposal, z)
    return z.reshape(-1, rows, lanes), log_own.reshape(-1, lanes)


def _log_mixture(proposal: Proposal, z: Float[np.ndarray, "D M E N"]) -> Float[np.ndarray, "D M N"]:
    """log q_d, normalised."""
    rows, freedom = z.shape[2], FREEDOM
    inverse = np.linalg.inv(proposal.factor) if rows else proposal.factor
    apart = np.einsum("dnij,dmjn->dmni", inverse, z - proposal.at[:, None])
    far = np.log1p((apart**2).sum(axis=-1) / freedom)
    constant = gammaln((freedom + rows) / 2) - gammaln(freedom / 2)
    constant -= rows / 2 * np.log(freedom * np.pi)
    log_t = constant - proposal.log_det[:, None] / 2 - (freedom + rows) / 2 * far
    log_prior = -rows / 2 * np.log(2 * np.pi) - (z**2).sum(axis=2) / 2
    share = 1 / FIFTH
    return np.logaddexp(np.log(1 - share) + log_t, np.log(share) + log_prior)


def _heights(effects: Effects, population: Named, z: np.ndarray) -> Float[np.ndarray, "S N"]:
    """log p(y | z, t) p(z) of every pair, up to a constant."""
    heights = jax.jit(jax.vmap(effects.height))
    places = chunks(len(z), z.shape[2])
    parts = [
        np.asarray(heights(arrays({n: v[at] for n, v in population.items()}), z[at]))
        for at in places
    ]
    return joined(parts, len(z))


def _weighed(
    log_ratios: Float[np.ndarray, "S N"], subjects: tuple[str, ...]
) -> tuple[Float[np.ndarray, "S N"], Float[np.ndarray, " N"]]:
    log_ratios = np.where(np.isfinite(log_ratios), log_ratios, -np.inf)
    lost = [who for who, own in zip(subjects, log_ratios.T, strict=True) if (own == -np.inf).all()]
    if lost:
        raise FitError(
            f"The records of {', '.join(lost)} have no density under the fit: no parameter that it "
            "knows of makes them possible. Check doses, units and times."
        )
    found = [weighed(own) for own in log_ratios.T]
    return np.stack([w for w, _ in found], axis=1), np.array([k for _, k in found])
