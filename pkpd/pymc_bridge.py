"""The hierarchical model in PyMC, its likelihood solved in JAX. The only file that knows PyMC.

Every variable of the space becomes a PyMC distribution with named dims; the log-likelihood is one
JAX function of all of them with its gradient, joined as a potential. For sampling, PyMC's own prior
density is turned into JAX and run beside the compiled likelihood (compiling the joint graph took a
minute more); nutpie runs each chain in a thread, with no fork (which deadlocks once JAX has run).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt
from nutpie.compiled_pyfunc import from_pyfunc
from pymc.distributions import transforms
from pymc.model.transform.optimization import freeze_dims_and_data
from pytensor.compile.mode import get_mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.op import Op
from pytensor.link.jax.dispatch.basic import jax_funcify

from pkpd.arm_level.gradient import ValueAndGradient
from pkpd.arm_level.problem import Likelihood
from pkpd.checkpoint import Density, Evaluations
from pkpd.settings import Sampler
from pkpd.variation import centring, standard
from pkpd.variation.prior import HalfNormal, LogitNormal, LogNormal, Normal, Partial
from pkpd.variation.space import Space, Variable
from pkpd.variation.standard import Frame


def _distribution(variable: Variable) -> Any:
    """The PyMC random variable of a `Variable`."""
    at = {"dims": variable.dim} if variable.dim else {}
    match variable.prior:
        case Normal(mean, sd):
            return pm.Normal(variable.name, mean, sd, **at)
        case LogNormal(median, sd):
            return pm.LogNormal(variable.name, math.log(median), sd, **at)
        case LogitNormal(median, sd):
            centre = cast(Any, math.log(median / (1 - median)))  # PyMC 6.4 declares mu an int
            return pm.LogitNormal(  # PyMC 6.4 gives it no transform of its own
                variable.name, centre, sd, default_transform=transforms.logodds, **at
            )
        case HalfNormal(sd):
            return pm.HalfNormal(variable.name, sd, **at)
        case Partial(shape):
            share = pm.Beta(f"{variable.name}_share", shape, shape, **at)
            return pm.Deterministic(variable.name, 2 * cast(Any, share) - 1, **at)


class LogLikelihood(Op):
    """Log-likelihood of all data with its gradient, one call for both; input: the flat vector.

    The gradient is a second output, so that `pullback` finds it computed already. No second
    derivatives.
    """

    itypes = [pt.dvector]
    otypes = [pt.dscalar, pt.dvector]
    __props__ = ("call",)

    def __init__(self, call: ValueAndGradient) -> None:
        self.call = call

    def perform(self, node: Any, inputs: list[np.ndarray], outputs: list[list]) -> None:
        """Value and gradient into `outputs`."""
        value, gradient = self.call(inputs[0])
        outputs[0][0] = np.asarray(value)
        outputs[1][0] = gradient

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list:
        """The gradient, which `perform` left in the second output."""
        return [cotangents[0] * outputs[1]]


def pymc_model(space: Space, call: ValueAndGradient) -> pm.Model:
    """The joint model of all free numbers and the data; `call` solves the likelihood."""
    coords = {name: list(labels) for name, labels in space.coords.items()}
    with pm.Model(coords=coords) as model:
        parts = [pt.atleast_1d(_distribution(variable)) for variable in space.variables]
        value, _ = cast(Any, LogLikelihood(call)(pt.concatenate(parts)))
        pm.Potential("data", value)
    return model


def prior_density(model: pm.Model) -> Callable[..., Any]:
    """PyMC's log-density of the model's variables on its unbounded scales, as a JAX function.

    Takes the values in the order of `model.free_RVs`; Jacobians are in it, potentials are not.
    """
    fixed = freeze_dims_and_data(model)
    inputs = [fixed.rvs_to_values[fixed[random.name]] for random in model.free_RVs]
    graph = cast(Any, fixed.logp(vars=fixed.free_RVs))
    made = FunctionGraph(outputs=[graph], inputs=inputs, clone=True)
    get_mode("JAX").optimizer.rewrite(made)  # folds shapes into constants, which JAX needs
    return jax_funcify(made)


def _unbounded(variable: Variable, z: Any) -> Any:
    """PyMC's unbounded value (log, logit or itself) of standardised coordinates."""
    match variable.prior:
        case Normal(mean, sd):
            return mean + sd * z
        case LogNormal(median, sd):
            return math.log(median) + sd * z
        case LogitNormal(median, sd):
            return math.log(median / (1 - median)) + sd * z
        case HalfNormal(sd):
            return math.log(sd) + z - 0.5
        case Partial(shape):
            return standard.logit_sd(shape) * z


def program(
    likelihood: Likelihood,
    call: ValueAndGradient,
    frame: Frame,
    known: Evaluations | None = None,
) -> Any:
    """PyMC's model for nutpie, in coordinates u where the posterior is nearly round.

    The density of u is PyMC's prior at the centred coordinates c = centre + factor u, with the
    Jacobian from these to standardised ones, plus the likelihood. Chains start at random corners
    u = +-1, where gradients are near 1 in size: nutpie takes its first mass matrix from there.
    Densities that are `known` are not computed again.
    """
    space = likelihood.space
    prior = _standard_prior(space, pymc_model(space, call))
    centre, factor = jnp.asarray(frame.centre), jnp.asarray(frame.factor)

    def placed(c: Any) -> Any:
        z, log_jacobian = centring.to_standard(space, c)
        return prior(z) + log_jacobian

    @jax.jit
    def before(u: Any) -> tuple[Any, Any, Any]:
        c = centre + factor @ u
        value, slope = jax.value_and_grad(placed)(c)
        return centring.to_natural(space, c), value, slope @ factor

    @jax.jit
    def pulled(u: Any, slope: Any) -> Any:
        return jax.vjp(lambda u: centring.to_natural(space, centre + factor @ u), u)[1](slope)[0]

    def density(u: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
        natural, value, slope = before(u)
        fitted, pull = call(np.asarray(natural))
        return float(value) + fitted, np.asarray(slope + pulled(u, pull))

    def expand(u: np.ndarray, **_: Any) -> dict[str, np.ndarray]:
        values = space.unpack(before(u)[0])
        return {name: np.asarray(value) for name, value in values.items()}

    return _for_nutpie(space, _remembered(density, space, known), expand, corner=1.0)


def walked_program(
    space: Space,
    place: Callable[[Any], tuple[Any, Any]],
    log_likelihood: Callable[[Any], Any],
    beside: ValueAndGradient | None = None,
    known: Evaluations | None = None,
) -> Any:
    """PyMC's model for nutpie in coordinates u, prior and likelihood one compiled function.

    `place` gives the flat standardised coordinates of u and the log of the Jacobian's determinant,
    `log_likelihood` takes the flat natural vector; `beside` is a further log-likelihood of it that
    is compiled already. Chains start at random corners u = +-1/2. Densities that are `known` are
    not computed again.
    """
    prior = _standard_prior(space, pymc_model(space, _unasked))

    def joint(u: Any) -> Any:
        z, log_jacobian = place(u)
        return prior(z) + log_jacobian + log_likelihood(standard.to_natural(space, z))

    compiled = jax.jit(jax.value_and_grad(joint)).lower(jnp.zeros(space.size)).compile()
    whole = jax.jit(lambda u: standard.to_natural(space, place(u)[0]))
    natural = jax.jit(lambda u: space.unpack(whole(u)))
    pulled = jax.jit(lambda u, slope: jax.vjp(whole, u)[1](slope)[0])

    def density(u: np.ndarray, **_: Any) -> tuple[float, np.ndarray]:
        value, slope = compiled(jnp.asarray(u))
        if beside is None:
            return float(value), np.asarray(slope)
        more, pull = beside(np.asarray(whole(u)))
        return float(value) + more, np.asarray(slope + pulled(u, pull))

    def expand(u: np.ndarray, **_: Any) -> dict[str, np.ndarray]:
        found = natural(u)  # jax sorts names, nutpie wants them in order
        return {name: np.asarray(found[name]) for name in space.names}

    return _for_nutpie(space, _remembered(density, space, known), expand, corner=0.5)


def _remembered(density: Density, space: Space, known: Evaluations | None) -> Density:
    return known.of(density, space.size) if known else density


def _unasked(flat: np.ndarray) -> tuple[float, np.ndarray]:
    """Stands in for a likelihood that is joined outside PyMC."""
    raise NotImplementedError("the likelihood is compiled with the prior, not asked by PyMC")


def _standard_prior(space: Space, model: pm.Model) -> Callable[[Any], Any]:
    """PyMC's log prior density at flat standardised coordinates, a JAX function."""
    prior = prior_density(model)

    def density(z: Any) -> Any:
        ends = np.cumsum([variable.size for variable in space.variables])[:-1]
        found = zip(space.variables, jnp.split(z, ends), strict=True)
        return prior(*[_unbounded(v, part if v.dim else part[0]) for v, part in found])[0]

    return density


def _for_nutpie(space: Space, density: Callable, expand: Callable, *, corner: float) -> Any:
    return from_pyfunc(
        ndim=space.size,
        make_logp_fn=lambda: density,
        make_expand_fn=lambda *_: expand,
        expanded_dtypes=[np.dtype("float64")] * len(space.variables),
        expanded_shapes=[(v.size,) if v.dim else () for v in space.variables],
        expanded_names=list(space.names),
        coords={name: list(labels) for name, labels in space.coords.items()},
        dims={v.name: (v.dim,) for v in space.variables if v.dim},
        make_initial_point_fn=lambda seed: np.random.default_rng(seed).choice(
            [-corner, corner], space.size
        ),
    )


def run_chains(made: Any, chosen: Sampler, progress: Callable[[float], None]) -> Any:
    """Sample with NUTS; a DataTree with groups posterior and sample_stats.

    The frame is nearly right already, so steps begin long and the mass matrix is learnt in long
    windows.
    """
    total = chosen.chains * (chosen.tune + chosen.draws)

    def heard(state: list[Any]) -> None:
        progress(min(1.0, sum(chain.finished_draws for chain in state) / total))

    running = nutpie.sample(
        made,
        chains=chosen.chains,
        cores=chosen.chains,
        tune=chosen.tune,
        draws=chosen.draws,
        seed=chosen.seed,
        target_accept=chosen.target_accept,
        maxdepth=chosen.max_treedepth,
        adaptation=chosen.adaptation,
        progress_bar=False,
        progress_callback=heard,
        save_warmup=False,
        initial_step=0.5,
        mass_matrix_switch_freq=100,
        blocking=False,
    )
    with contextlib.ExitStack() as unless_done:
        unless_done.callback(running.cancel)  # nutpie would take an interrupted run's draws for all
        tree = running.wait()
        unless_done.pop_all()
    return tree
