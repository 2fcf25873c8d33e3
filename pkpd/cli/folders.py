"""Fits by name: the folders of `fits/` that hold a fit.toml."""

from __future__ import annotations

import difflib
from pathlib import Path

from pkpd.errors import DataError, Fault

_PACKAGE = Path(__file__).parents[1]


def fits_root() -> Path:
    """The nearest folder `fits/` with fits, from the working folder upwards; else the package's."""
    here = Path.cwd()
    places = [folder / "fits" for folder in (here, *here.parents, _PACKAGE.parent)]
    return next((place for place in places if fit_folders(place)), _PACKAGE / "_library" / "fits")


def fit_folders(root: Path) -> tuple[Path, ...]:
    """The fits under `root`, by name."""
    return tuple(sorted(path.parent for path in root.glob("*/fit.toml")))


def fit_folder(text: str) -> Path:
    """The folder that `text` names; `DataError` with the nearest names if there is none."""
    for folder in (Path(text), fits_root() / text):
        if (folder / "fit.toml").is_file():
            return folder
    names = [folder.name for folder in fit_folders(fits_root())]
    near = difflib.get_close_matches(Path(text).name, names, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    known = ", ".join(names) or "none: there is no folder fits/ here or above"
    found = "the folder has no fit.toml" if Path(text).is_dir() else "there is no such fit"
    raise DataError([Fault(text, found, f"{meant}Fits: {known}")])
