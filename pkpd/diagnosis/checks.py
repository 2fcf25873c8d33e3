"""Named checks of a posterior: value, limit, verdict, advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import arviz_stats
import numpy as np

from pkpd.settings import Demands

_AZ: Any = arviz_stats  # not `arviz`, which brings its plots along


@dataclass(frozen=True)
class Check:
    """One demand and whether it was met; `limit` in words."""

    check: str
    value: float
    limit: str
    passed: bool
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """All checks of a posterior."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every demand was met."""
        return all(check.passed for check in self.checks)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The checks as plain data."""
        return [asdict(check) for check in self.checks]

    def __str__(self) -> str:
        lines = [
            f"{'met   ' if c.passed else 'MISSED'}  {c.check}: {c.value:.4g} (limit {c.limit})"
            + ("" if c.passed else f"\n        {c.advice}")
            for c in self.checks
        ]
        missed = sum(not c.passed for c in self.checks)
        end = "All demands met: the posterior may be reported as final."
        if missed:
            end = f"{missed} demand(s) missed: not final. Follow the advice, then run it again."
        return "\n".join([*lines, end])


def _worst(tree: Any, measure: Callable, least: bool) -> tuple[float, str]:
    """The worst value of an ArviZ measure over all scalars, and which scalar has it."""
    found = measure(tree)
    values = {
        _label(name, value, index): float(value.values[index])
        for name, value in found.data_vars.items()
        for index in np.ndindex(value.shape)
    }
    name = (min if least else max)(values, key=lambda key: values[key])
    return values[name], name


def _label(name: str, value: Any, index: tuple[int, ...]) -> str:
    """A scalar's name as summary.csv writes it: `ec50[amlitelimab]`."""
    at = [str(value[dim].values[k]) for dim, k in zip(value.dims, index, strict=True)]
    return f"{name}[{', '.join(at)}]" if at else name


def sampling_checks(tree: Any, demands: Demands, max_treedepth: int) -> list[Check]:
    """R-hat, bulk and tail ESS; of NUTS also divergences, E-BFMI and tree depth."""
    posterior, stats = tree["posterior"].dataset, tree["sample_stats"].dataset
    more = "Raise sampler.tune and sampler.draws"
    rhat, worst = _worst(posterior, lambda x: _AZ.rhat(x), least=False)
    checks = [
        Check(
            f"R-hat (worst: {worst})",
            rhat,
            f"<= {demands.rhat}",
            rhat <= demands.rhat,
            f"{more}; chains disagree.",
        )
    ]
    for kind, limit in (("bulk", demands.ess_bulk), ("tail", demands.ess_tail)):
        value, worst = _worst(posterior, lambda x, kind=kind: _AZ.ess(x, method=kind), least=True)
        checks.append(
            Check(
                f"{kind} ESS (worst: {worst})",
                value,
                f">= {limit:g}",
                value >= limit,
                f"{more}; the draws repeat one another.",
            )
        )
    return checks + (_nuts_checks(stats, demands, max_treedepth) if "diverging" in stats else [])


def _nuts_checks(stats: Any, demands: Demands, max_treedepth: int) -> list[Check]:
    """What only Hamiltonian steps can miss."""
    wrong = int(stats["diverging"].sum())
    bfmi = float(np.min(np.asarray(_bfmi(stats))))
    deep = float((stats["depth"] >= max_treedepth).mean())
    return [
        Check(
            "divergences",
            wrong,
            f"<= {demands.divergences}",
            wrong <= demands.divergences,
            "Raise sampler.target_accept (0.9, 0.95) or tighten weak priors.",
        ),
        Check(
            "E-BFMI (least of the chains)",
            bfmi,
            f">= {demands.bfmi}",
            bfmi >= demands.bfmi,
            "Heavy tails: tighten the widest priors.",
        ),
        Check(
            "share of draws at the greatest tree depth",
            deep,
            f"<= {demands.tree_depth_share}",
            deep <= demands.tree_depth_share,
            "Raise sampler.max_treedepth by one or two.",
        ),
    ]


def _bfmi(stats: Any) -> np.ndarray:
    """Energy fraction of missing information by chain: E[(dE)^2] / Var E (Betancourt 2016)."""
    energy = stats["energy"].transpose("chain", "draw").values
    return np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)


def solver_check(pareto_k: float, demands: Demands, shift: float) -> Check:
    """Whether draws made on the planned mesh stand for the tightly solved posterior."""
    return Check(
        f"solver, PSIS Pareto-k (greatest log-likelihood difference {shift:.3g})",
        pareto_k,
        f"< {demands.pareto_k}",
        pareto_k < demands.pareto_k,
        "Lower sampler.tolerance: the mesh is too wide for this posterior.",
    )


def points_check(told: Mapping[str, Any], demands: Demands) -> Check:
    """Whether effects were integrated over enough points of each subject."""
    return Check(
        f"points of each subject, error of a mean in its SDs (worst: {told['worst']})",
        told["error"],
        f"<= {demands.points_error}",
        told["error"] <= demands.points_error,
        "Raise sampler.points: four times as many halve the error or better.",
    )


def averaged_check(told: Mapping[str, Any], demands: Demands) -> Check:
    """Whether draws of the population were proposed where the posterior is."""
    return Check(
        "weights of draws with averaged effects, PSIS Pareto-k",
        told["pareto_k"],
        f"< {demands.pareto_k}",
        told["pareto_k"] < demands.pareto_k,
        "Take fewer or better known numbers, or walk the effects (sampler.effects).",
    )


def coverage_check(share: float, demands: Demands, level: float) -> Check:
    """Whether predictive intervals hold about as many statistics as they say."""
    low, high = demands.coverage_low, demands.coverage_high
    return Check(
        f"posterior predictive: share of fitted statistics in their {level:.0%} interval",
        share,
        f"{low} to {high}",
        low <= share <= high,
        "Look at the fit per arm: the model misses something, or its noise is too wide.",
    )
