"""The posterior as a value: draws, the settings they were made under, and what they came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pkpd.errors import FileFormatError
from pkpd.files import replacing

FORMAT = 2


@dataclass(frozen=True)
class Posterior:
    """Draws and provenance.

    `tree` has groups posterior, sample_stats and held: the covariances they were made under. Fits
    of arms have log_likelihood, too: of each arm, as ArviZ has it. Those whose effects were
    integrated have walked: the log-likelihood that each draw was made by.
    """

    tree: Any
    provenance: Mapping[str, Any]

    def draws(self, count: int | None = None) -> dict[str, np.ndarray]:
        """Draws by variable, chains stacked, shape (draw, ...); `count` of them evenly spaced."""
        return self._stacked("posterior", count)

    def by_arm(self, count: int | None = None) -> np.ndarray | None:
        """Log-likelihoods of the arms at those draws, shape (draw, arm); None if not stored."""
        known = "log_likelihood" in self.tree
        return self._stacked("log_likelihood", count)["arms"] if known else None

    def walked(self, count: int | None = None) -> np.ndarray | None:
        """The log-likelihood that those draws were made by, shape (draw,); None if not stored."""
        return self._stacked("walked", count)["log_likelihood"] if "walked" in self.tree else None

    def _stacked(self, group: str, count: int | None) -> dict[str, np.ndarray]:
        found = self.tree[group].dataset.stack(draw_of=("chain", "draw"))
        total = found.sizes["draw_of"]
        keep = np.arange(total)
        if count is not None and count < total:
            keep = np.linspace(0, total - 1, count).round().astype(int)
        return {
            str(name): value.transpose("draw_of", ...).values[keep]
            for name, value in found.data_vars.items()
        }

    def __str__(self) -> str:
        found = self.tree["posterior"].dataset
        size = sum(value[0, 0].size for value in found.data_vars.values())
        spent = self.provenance.get("seconds", {})
        took = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in spent.items())
        return f"{found.sizes['chain']} chains of {found.sizes['draw']} draws of {size} numbers" + (
            f" ({took})" if took else ""
        )

    def save(self, path: Path) -> None:
        """Write to netCDF under a temporary name, then rename."""
        tree = self.tree.copy()
        tree.attrs = {"pkpd_format": FORMAT, "provenance": json.dumps(dict(self.provenance))}
        with replacing(path) as partial:
            tree.to_netcdf(partial, engine="h5netcdf")


def load_posterior(path: Path) -> Posterior:
    """The posterior saved at `path`; `FileFormatError` where there is none or it is not ours."""
    if not path.is_file():
        raise FileFormatError(f"{path}: there are no draws. Run `pkpd fit {path.parent}` first.")
    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    if int(tree.attrs.get("pkpd_format", 0)) != FORMAT:
        raise FileFormatError(f"{path}: not draws of format {FORMAT}. Run the fit again.")
    return Posterior(tree, json.loads(tree.attrs["provenance"]))
