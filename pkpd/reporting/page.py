"""One self-contained page from a fit folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pkpd.reporting.contents import contents
from pkpd.reporting.folder import FitFolder, read_folder

HERE = Path(__file__).parent


def report(folder: Path) -> Path:
    """Write `report.html` into the fit folder and give back its path.

    Reads only the folder's files. The page is written under another name and renamed,
    so that a half-written page is never found. Raises `DataError` without a `card.json`.
    """
    folder = Path(folder)
    html = page(read_folder(folder))
    return write(html, folder / "report.html")


def write(html: str, path: Path) -> Path:
    """Give back the path, at which the whole page now stands."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def page(fit: FitFolder) -> str:
    """Give back the page as text."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    css = Markup((HERE / "page.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html.j2").render(css=css, **contents(fit))
