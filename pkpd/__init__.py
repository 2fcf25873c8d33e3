"""Population PKPD: how well is efficacy kept when anti-OX40 dosing is stretched.

The public names stand in `__all__`; each is loaded when first asked for, so that the command line
answers at once. Importing sets, where the user has not: float64 in JAX, and one thread a numerical
call, since chains run side by side and threads inside them only compete (measured: half the CPU
time).
"""

import importlib
import os
import sys
from typing import Any

if "JAX_ENABLE_X64" not in os.environ:
    os.environ["JAX_ENABLE_X64"] = "1"
    if "jax" in sys.modules:  # imported first, it has read its settings already
        sys.modules["jax"].config.update("jax_enable_x64", True)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

_FROM = {
    "errors": ("DataError", "FileFormatError", "FitError", "ModelError", "UnitError"),
    "model": ("Model", "Parameter"),
    "regimen": ("Regimen",),
    "data.events": ("read_events",),
    "data.arms": ("read_arms",),
    "data.individual_table": ("read_individuals",),
    "compose": ("compose",),
    "densities": ("likelihood",),
    "library": ("load", "models"),
    "statement": ("statement",),
    "simulation": ("simulate",),
    "posterior": ("Posterior", "load_posterior"),
    "courses_workflow": ("courses",),
    "prediction.courses_store": ("open_courses",),
    "decision_workflow": ("decide",),
    "assurance_workflow": ("assurance",),
    "individual_forecast": ("forecast",),
    "workflow": (
        "check",
        "diagnose",
        "fit",
        "predict",
        "predict_regimen",
        "prior_predictive",
        "quick",
        "report",
        "run",
    ),
    "validation.run": ("validate",),
}
_HOME = {name: module for module, names in _FROM.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pkpd has no '{name}'. Public names: {', '.join(__all__)}.")
    return getattr(importlib.import_module(f"pkpd.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
