"""Forecast files: written before anything is scored, never written again.

`forecast-WHO-KEY.nc` holds what one forecaster said of one part that was left out: a row a number,
its predictive as a mixture of normals (`centre`, `spread`: row by draw, on the fitted scale) and
as quantiles on the natural scale, mean and interval; never what was posted. KEY is a hash of data,
part, settings and models: the same forecast is found again, any other has another name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pkpd.errors import FileFormatError
from pkpd.validation.mixture import Mixture
from pkpd.validation.split import ROWS

FORMAT = 1
LEVELS = (np.arange(200) + 0.5) / 200
"""Levels of the quantiles kept, (k - 1/2) / 200."""


@dataclass(frozen=True)
class Forecast:
    """What one forecaster said: `rows` with mean and interval, quantiles, mixture and origin.

    `rows` beside `split.ROWS`: mean, lower, upper (per cent for changes, shares 0 to 1, mg/L),
    level and kind. Rows it has no answer to are not there.
    """

    rows: pd.DataFrame
    mixture: Mixture
    quantiles: np.ndarray
    origin: Mapping[str, Any]


def forecast(
    rows: pd.DataFrame, mixture: Mixture, *, level: float, origin: Mapping[str, Any]
) -> Forecast:
    """A forecast of `rows`, with intervals at `level` (equal-tailed) and the time it was made."""
    tail = (1 - level) / 2
    ends = mixture.quantiles(np.array([tail, 1 - tail]))
    ends, quantiles = natural(rows, ends), natural(rows, mixture.pooled(LEVELS))
    told = rows.assign(
        mean=quantiles.mean(axis=1), lower=ends[:, 0], upper=ends[:, 1], level=level, kind="eti"
    )
    made = {"made": datetime.now(UTC).isoformat(timespec="seconds")}
    return Forecast(told.reset_index(drop=True), mixture, quantiles, {**origin, **made})


def natural(rows: pd.DataFrame, fitted: np.ndarray) -> np.ndarray:
    """From the fitted scale (rows, k) to per cent, shares and mg/L; every step is monotone."""
    n = rows["n"].to_numpy(float)[:, None]
    scale = rows["scale"].to_numpy()[:, None]
    angle = np.clip(fitted, 0.0, np.pi / 2)
    share = np.clip(((n + 0.75) * np.sin(angle) ** 2 - 0.375) / n, 0.0, 1.0)
    level = np.exp(np.where(scale == "log", fitted, 0.0))
    return np.where(scale == "fraction", 100 * fitted, np.where(scale == "log", level, share))


def fitted_scale(rows: pd.DataFrame, shown: np.ndarray) -> np.ndarray:
    """The inverse of `natural`, within its range."""
    n = rows["n"].to_numpy(float)[:, None]
    scale = rows["scale"].to_numpy()[:, None]
    share = np.where(scale == "anscombe", shown, 0.5)
    angle = np.arcsin(np.sqrt((n * share + 0.375) / (n + 0.75)))
    log = np.log(np.where(scale == "log", shown, 1.0))
    return np.where(scale == "fraction", shown / 100, np.where(scale == "log", log, angle))


def key(hashes: Mapping[str, str], part: str, who: str, *more: object) -> str:
    """The hash of all that a forecast comes from."""
    told = json.dumps([FORMAT, dict(hashes), part, who, *more], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def file_of(folder: Path, who: str, made_of: str) -> Path:
    """Where the forecast of that key stands."""
    return folder / f"forecast-{who}-{made_of}.nc"


def write(made: Forecast, path: Path) -> Path:
    """Write a forecast once: whole under a temporary name, then linked to its own.

    Raises
    ------
    FileExistsError
        Where there is one: forecasts are never overwritten.
    """
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        _dataset(made).to_netcdf(partial, engine="h5netcdf")
        os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def read(path: Path) -> Forecast:
    """The forecast of a file."""
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        found = opened.load()
    if int(found.attrs.get("pkpd_forecast", 0)) != FORMAT:
        raise FileFormatError(f"{path}: no forecast of format {FORMAT}. Move it away, run again.")
    columns = [*ROWS, "mean", "lower", "upper", "level", "kind"]
    rows = pd.DataFrame({name: found[name].values for name in columns})
    mixture = Mixture(found["centre"].values, found["spread"].values)
    return Forecast(rows, mixture, found["quantile"].values, json.loads(found.attrs["origin"]))


def _dataset(made: Forecast) -> xr.Dataset:
    texts = {name: value.astype(str) for name, value in made.rows.items() if value.dtype == object}
    columns = {str(name): ("row", np.asarray(texts.get(name, v))) for name, v in made.rows.items()}
    columns = {
        n: (d, v.astype(object) if v.dtype.kind == "U" else v) for n, (d, v) in columns.items()
    }
    arrays = {
        "centre": (("row", "draw"), made.mixture.centre),
        "spread": (("row", "draw"), made.mixture.spread),
        "quantile": (("row", "at"), made.quantiles),
    }
    attrs = {"pkpd_forecast": FORMAT, "origin": json.dumps(dict(made.origin), default=str)}
    return xr.Dataset({**columns, **arrays}, coords={"at": LEVELS}, attrs=attrs)
