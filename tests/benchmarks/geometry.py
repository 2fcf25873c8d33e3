"""Effective draws of the worst number: our ways beside NUTS in the model's own coordinates.

All sample one posterior: sixty patients, 440 numbers, the same likelihood on the same mesh. The
rival, nutpie, walks logarithms and standardised effects (non-centred) with its own settings. Ours
averages effects out at every draw of the population (`pkpd/averaged`), everything counted from the
search for the mode on; integrates them over points (`pkpd/points`), counted alike; and walks them
in the coordinates that the marginal mode and a pilot run make (`individual/whitened.py`,
`individual/learned.py`), the pilot counted, the search told apart.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import arviz as az
import jax.numpy as jnp
import numpy as np
import nutpie
from sixty import Problem
from timing import Row, row

from pkpd import pymc_bridge
from pkpd.averaged_sampling import draw as draw_averaged
from pkpd.checkpoint import Checkpoint
from pkpd.diagnosis.individual import prove_mesh
from pkpd.errors import FitError
from pkpd.individual.kept_mesh import DRAWS, replanned
from pkpd.individual.learned import learned
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual.solve import finer
from pkpd.individual.start import find_start
from pkpd.individual.whitened import whitened
from pkpd.individual_sampling import Drawn
from pkpd.points_sampling import draw as draw_by_points
from pkpd.posterior import Posterior
from pkpd.settings import Sampler
from pkpd.settings_individual import IndividualSampler

PILOT = 250
"""Steps of tuning and draws of the pilot, each."""

POINTS, PROOF = 2048, 400
"""Points of each patient, and draws that are solved again."""

AVERAGED = 2500
"""Draws of a chain with averaged effects, which are many for those of NUTS are dear."""

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
        end = f"worst ESS {self.worst:.0f}, R-hat {self.split:.3f}, {self.taken:.0f} CPU s"
        if not self.gradients:
            return end
        share = 1000 * self.worst / self.gradients
        return (
            f"{share:.2f} effective draws a 1,000 gradients, {self.gradients / draws:.0f} "
            f"gradients a draw, {end}"
        )


def geometry_rows(problem: Problem, tune: int, draws: int) -> list[Row]:
    """CPU seconds for an effective draw of the worst number; no row of points that are refused."""
    told = f"2 x {draws} draws after {tune}, {problem.source}; {CITED}"
    engine = problem.likelihood.settings.engine.model_copy(update={"precision": "single"})
    sampler = IndividualSampler(effects="averaged", draws=AVERAGED)
    chosen = {"engine": engine, "sampler": sampler}
    averaged = timed(problem.likelihood, chosen, draw_averaged)
    fit = replace(averaged[0].start.likelihood, settings=problem.likelihood.settings)
    rival = nuts(fit, Sampler(tune=tune, draws=draws))
    rows = [averaged_row("effects averaged at every draw", *averaged, rival, told)]
    try:
        rows.append(_points_row(problem.likelihood, rival, told, tune, draws))
    except FitError as refused:
        told = f"{told}; integrated over points: {refused}"
    return [*rows, _walked_row(problem, tune, draws, rival, told)]


def averaged_row(name: str, drawn: Drawn, taken: float, rival: Walk, told: str) -> Row:
    """The row of effects averaged at every draw."""
    ours, attrs = Walk(drawn.tree, taken, 0), drawn.tree["averaged"].attrs
    draws = drawn.tree["posterior"].sizes["draw"]
    seconds = ", ".join(f"{name} {spent:.0f}" for name, spent in drawn.seconds.items())
    return _row(
        name, ours, rival, drawn.start.likelihood,
        f"{told}; ours 2 x {draws} draws by {attrs['points']} points, {attrs['accepted']:.0%} of "
        f"clouds taken, Pareto-k of their weights {attrs['pareto_k']:.2f}, of draws solved "
        f"again {_believed(drawn):.2f}; seconds by the clock: {seconds}",
    )  # fmt: skip


def _points_row(
    likelihood: IndividualLikelihood, rival: Walk, told: str, tune: int, draws: int
) -> Row:
    """The row of effects integrated over points; `FitError` where they are refused."""
    sampler = IndividualSampler(effects="integrated", points=POINTS, tune=tune, draws=draws)
    drawn, taken = timed(likelihood, {"sampler": sampler}, draw_by_points)
    steps = int(np.asarray(drawn.tree["sample_stats"]["n_steps"]).sum())
    points = drawn.tree["points"].attrs
    return _row(
        "effects integrated over points", Walk(drawn.tree, taken, steps), rival,
        drawn.start.likelihood,
        f"{told}; ours with search and {points['count']} points, error of a mean at most "
        f"{points['error']:.2f} SDs, Pareto-k {_believed(drawn):.2f}",
    )  # fmt: skip


def timed(likelihood: IndividualLikelihood, chosen: dict, way: Any) -> tuple[Drawn, float]:
    """Draws of a way, and CPU seconds of all of it, compiling too."""
    settings = likelihood.settings.model_copy(update=chosen)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoint(Path(folder), "geometry")
        drawn = way(replace(likelihood, settings=settings), kept, lambda *_: None)
    return drawn, time.process_time() - began


def nuts(fit: IndividualLikelihood, chosen: Sampler) -> Walk:
    """The rival: nutpie in the model's own coordinates."""
    return _sampled(_program(fit, lambda u: (u, jnp.zeros(()))), chosen, plain=True)


def _believed(drawn: Drawn) -> float:
    """Pareto-k of the draws by points, each solved again on a mesh four times finer."""
    fit, posterior = drawn.start.likelihood, Posterior(drawn.tree, {})
    tight = replace(fit, solver=finer(fit.solver, 4))
    draws, known = posterior.draws(PROOF), posterior.walked(PROOF)
    return prove_mesh(fit.walked(), tight, draws, lambda share: None, known).pareto_k


def _row(name: str, ours: Walk, rival: Walk, fit: IndividualLikelihood, note: str) -> Row:
    apart = _apart(ours.tree, rival.tree, [v.name for v in fit.space.variables if v.dim is None])
    return row(
        f"effective draw of the worst number, {name}",
        ours.taken / ours.worst, rival.taken / rival.worst,
        "nutpie, non-centred, the model's own coordinates",
        f"means of {apart[1]} population numbers differ by at most {apart[0]:.1f} Monte-Carlo "
        "standard errors",
        f"ours {ours.told()}; rival {rival.told()}; {note}",
    )  # fmt: skip


def _walked_row(problem: Problem, tune: int, draws: int, rival: Walk, told: str) -> Row:
    """The row of effects walked in the coordinates of the marginal mode."""
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
    spent = replace(ours, taken=pilot.taken + ours.taken)
    return _row(
        "effects walked", spent, rival, fit,
        f"{told}; our start took {found:.0f} CPU s, the pilot {pilot.taken:.0f} of "
        f"{spent.taken:.0f}",
    )  # fmt: skip


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
    """The largest difference of means in Monte-Carlo standard errors, of how many; of logarithms.

    Of numbers that may be negative, of these themselves.
    """
    worst = 0.0
    for name in names:
        both = [np.asarray(tree["posterior"][name]) for tree in (one, other)]
        logs = [np.log(x) for x in both] if min(x.min() for x in both) > 0 else both
        error = np.hypot(*(float(az.mcse(np.asarray(x))) for x in logs))
        worst = max(worst, abs(float(logs[0].mean() - logs[1].mean())) / error)
    return worst, len(names)
