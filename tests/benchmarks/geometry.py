"""Effective draws of the worst number: our walk beside NUTS in the model's own coordinates.

Both sample one posterior with nutpie: sixty patients, 440 numbers, the same likelihood on the same
mesh. The rival walks logarithms and standardised effects (non-centred) with nutpie's own settings;
ours walks the coordinates that the marginal mode and a pilot run make (`individual/whitened.py`,
`individual/learned.py`). The pilot's time counts as ours, the search for the mode is told apart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import arviz as az
import jax.numpy as jnp
import numpy as np
import nutpie
from sixty import Problem
from timing import Row, row

from pkpd import pymc_bridge
from pkpd.individual.kept_mesh import DRAWS, replanned
from pkpd.individual.learned import learned
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.start import find_start
from pkpd.individual.whitened import whitened
from pkpd.posterior import Posterior
from pkpd.settings import Sampler

PILOT = 250
"""Steps of tuning and draws of the pilot, each."""

CITED = "elsewhere nutpie plain / low rank 0.98 / 0.67 a 1,000 gradients (cited)"


@dataclass(frozen=True)
class Walk:
    """What sampling gave: draws, CPU seconds, gradients after warm-up and in all."""

    tree: Any
    taken: float
    gradients: int

    @property
    def worst(self) -> float:
        """Smallest bulk effective sample size of any number."""
        return float(_least(az.ess(self.tree, group="posterior"), min))

    @property
    def split(self) -> float:
        """Largest R-hat of any number."""
        return float(_least(az.rhat(self.tree, group="posterior"), max))

    def told(self) -> str:
        """Effective draws a 1,000 gradients, leapfrogs a draw, R-hat."""
        draws = self.tree["posterior"].sizes["draw"] * self.tree["posterior"].sizes["chain"]
        share = 1000 * self.worst / self.gradients
        return (
            f"{share:.2f} effective draws a 1,000 gradients, {self.gradients / draws:.0f} "
            f"gradients a draw, worst ESS {self.worst:.0f}, R-hat {self.split:.3f}"
        )


def geometry_rows(problem: Problem, tune: int, draws: int) -> list[Row]:
    """CPU seconds of sampling for an effective draw of the worst number."""
    began = time.process_time()
    start = replanned(find_start(problem.likelihood, lambda *_: None))
    found = time.process_time() - began
    chosen = start.likelihood.settings.sampler.model_copy(update={"tune": tune, "draws": draws})
    short = chosen.model_copy(update={"tune": PILOT, "draws": PILOT})
    pilot = _sampled(_program(start.likelihood, whitened(start).standard), short, plain=False)
    start = learned(start, pilot.tree["posterior"])
    start = replanned(start, Posterior(pilot.tree, {}).draws(DRAWS))
    fit = start.likelihood
    ours = _sampled(_program(fit, whitened(start).standard), chosen, plain=False)
    spent = pilot.taken + ours.taken
    rival = _sampled(_program(fit, lambda u: (u, jnp.zeros(()))), chosen, plain=True)
    apart = _apart(ours.tree, rival.tree, [v.name for v in fit.space.variables if v.dim is None])
    return [row(
        "effective draw of the worst number", spent / ours.worst, rival.taken / rival.worst,
        "nutpie, non-centred, the model's own coordinates",
        f"means of {apart[1]} population numbers differ by at most {apart[0]:.1f} Monte-Carlo "
        "standard errors",
        f"ours {ours.told()}; rival {rival.told()}; 2 x {draws} draws after {tune}, "
        f"{problem.source}; our start took {found:.0f} CPU s, the pilot {pilot.taken:.0f} of "
        f"{spent:.0f}; {CITED}",
    )]  # fmt: skip


def _program(fit: IndividualLikelihood, place: Any) -> Any:
    space = fit.space
    return pymc_bridge.walked_program(
        space, place, lambda flat: fit.by_subject(space.unpack(flat)).sum()
    )


def _sampled(program: Any, chosen: Sampler, *, plain: bool) -> Walk:
    began = time.process_time()
    if plain:
        tree = nutpie.sample(
            program, chains=chosen.chains, cores=chosen.chains, tune=chosen.tune,
            draws=chosen.draws, seed=chosen.seed, progress_bar=False, save_warmup=False,
        )  # fmt: skip
    else:
        tree = pymc_bridge.run_chains(program, chosen, lambda share: None)
    steps = int(np.asarray(tree["sample_stats"]["n_steps"]).sum())
    return Walk(tree, time.process_time() - began, steps)


def _least(found: Any, which: Any) -> float:
    table = found["posterior"].dataset if hasattr(found, "children") and found.children else found
    return which(float(which(np.ravel(table[name]))) for name in table.data_vars)


def _apart(one: Any, other: Any, names: list[str]) -> tuple[float, int]:
    """The largest difference of means of logarithms in Monte-Carlo standard errors, of how many."""
    worst = 0.0
    for name in names:
        logs = [np.log(np.asarray(tree["posterior"][name])) for tree in (one, other)]
        error = np.hypot(*(float(az.mcse(np.asarray(x))) for x in logs))
        worst = max(worst, abs(float(logs[0].mean() - logs[1].mean())) / error)
    return worst, len(names)
