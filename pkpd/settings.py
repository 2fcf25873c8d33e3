"""What `fit.toml` chooses: names, numbers and words; never a class or an import path."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pkpd.errors import DataError, Fault

Whole = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Frozen(BaseModel):
    """A table of fit.toml: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(Frozen):
    """A kind of row that is fitted."""

    endpoint: str
    statistic: str
    estimand: str


class DropoutPhase(Frozen):
    """From `from_week` on, patients of `study` leave at this phase's own hazard."""

    phase: str
    study: str
    from_week: float = 0.0


class Patients(Frozen):
    """The virtual patients of each arm, and the covariates nobody posted."""

    count: Whole = 64
    seed: int = 1
    weight_mean: float = 75.0
    weight_cv: Share = 0.22
    albumin_mean: float = 45.0
    albumin_sd: float = 3.0
    easi_entry: float = 16.0
    easi_sd: float = 11.0


class Sampler(Frozen):
    """How draws are made."""

    chains: Whole = 2
    pilot: int = Field(default=100, ge=0)
    tune: Whole = 400
    draws: Whole = 800
    target_accept: Share = 0.8
    max_treedepth: Whole = 8
    adaptation: Literal["diag", "low_rank"] = "low_rank"
    seed: int = 1
    tolerance: float = 1e-2


class Demands(Frozen):
    """What a posterior must meet to be reported as final."""

    rhat: float = 1.01
    ess_bulk: float = 400
    ess_tail: float = 400
    divergences: int = 0
    bfmi: float = 0.3
    tree_depth_share: float = 0.05
    pareto_k: float = 0.7
    points_error: float = 0.1
    coverage_low: Share = 0.85
    coverage_high: Share = 0.96


class Question(Frozen):
    """One induction whose responders are re-randomised."""

    drug: str
    induction: str
    dose: float = Field(gt=0)


class Loss(Frozen):
    """What regimens are weighed by in `pkpd decide`."""

    kept: float = Field(default=0.0, ge=0)
    lost: float = Field(default=1.0, ge=0)
    injection: float = Field(default=0.01, ge=0)


class Predictions(Frozen):
    """What is predicted from the posterior."""

    questions: tuple[Question, ...] = ()
    selection_week: float = Field(default=24.0, gt=0)
    weeks: tuple[float, ...] = (24, 28, 32, 36, 40, 44, 48, 52, 60, 72, 76, 84, 92, 104)
    intervals: tuple[Annotated[float, Field(gt=0)], ...] = (4, 8, 12, 16)
    endpoints: tuple[str, ...] = ("EASI75", "EASI50", "EASI90", "IGA01")
    patients: Whole = 512
    draws: Whole = 300
    level: Share = 0.9
    margin: Share = 0.1
    kept_share: Share = 0.8
    probability: Share = 0.8
    seed: int = 1
    loss: Loss = Loss()


class Settings(Frozen):
    """A fit, as `fit.toml` states it, after defaults."""

    name: str
    title: str
    model: str
    data: str
    drugs: dict[str, str]
    endpoints: tuple[Endpoint, ...]
    dropout: tuple[DropoutPhase, ...]
    compare: tuple[str, ...] = ()
    discrepancy: float = Field(default=0.0, ge=0)
    patients: Patients = Patients()
    sampler: Sampler = Sampler()
    demands: Demands = Demands()
    predictions: Predictions = Predictions()


def read_settings(path: Path) -> Settings:
    """The settings of a fit; `DataError` lists every fault of the file."""
    return read_as(path, Settings)


def read_as[Read: Frozen](path: Path, kind: type[Read]) -> Read:
    """A TOML file as settings of this kind; `DataError` lists every fault of the file."""
    if not path.is_file():
        raise DataError([Fault(str(path), "there is no such file", "Name a folder with fit.toml")])
    try:
        return kind(**tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            [Fault(str(path), f"not readable as TOML: {error}", "Mend the line")]
        ) from error
    except ValidationError as error:
        raise DataError(_fault(path, found) for found in error.errors()) from error


def _fault(path: Path, found: Mapping[str, Any]) -> Fault:
    where = ".".join(str(part) for part in found["loc"])
    given = "" if found["type"] == "missing" else f" (found {found['input']!r})"
    return Fault(f"{path}, {where}", f"{found['msg']}{given}", "See docs/fit-folder.md")
