"""Whether this installation can work: versions, float64, cores, and what does not import."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from typing import Any

from pkpd.errors import DataError
from pkpd.threads import at_once, cores

PACKAGES = ("jax", "numpy", "scipy", "pandas", "pymc", "nutpie", "arviz", "diffrax", "matplotlib")

COMPILED = "JAX_COMPILATION_CACHE_DIR"
"""Where JAX is told to keep compiled programs."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    value: str
    fine: bool
    advice: str = ""


@dataclass(frozen=True)
class Findings:
    """All that was looked at."""

    rows: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing stands in the way."""
        return all(row.fine for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"fine": self.fine, "rows": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [
            f"{'ok  ' if row.fine else 'FAIL'}  {row.name:<{width}}  {row.value}"
            + (f"  {row.advice}" if row.advice else "")
            for row in self.rows
        ]
        end = "Next: pkpd models" if self.fine else "Mend what failed, then: pkpd doctor"
        return "\n".join([*lines, end])


def examine() -> Findings:
    """What this installation is, and whether it can work."""
    return Findings(
        (
            Finding("python", platform.python_version(), True),
            Finding("pkpd", _version("pkpd-ox40"), True),
            *(_package(name) for name in PACKAGES),
            *_arithmetic(),
            Finding("cores", str(cores()), True),
            _threads(),
            Finding("compiled programs", os.environ.get(COMPILED) or "not kept between runs", True),
        )
    )


def _package(name: str) -> Finding:
    try:
        import_module(name)
    except ImportError as error:
        return Finding(name, f"does not import: {error}", False, "Install it with pip.")
    return Finding(name, _version(name), True)


def _threads() -> Finding:
    try:
        return Finding("calls side by side", str(at_once()), True)
    except DataError as error:
        (fault,) = error.faults
        return Finding("calls side by side", f"{fault.where}: {fault.found}", False, fault.remedy)


def _arithmetic() -> tuple[Finding, ...]:
    """Float64 and the device, as far as jax imports."""
    try:
        jax = import_module("jax")
    except ImportError:
        return ()
    wide = str(jax.numpy.ones(()).dtype)
    advice = "" if wide == "float64" else "Unset JAX_ENABLE_X64: results need 64-bit floats."
    device = jax.devices()[0].platform
    return (Finding("floats", wide, wide == "float64", advice), Finding("device", device, True))


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed as a package"
