"""One self-contained page from a fit folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pkpd.errors import DataError, Fault
from pkpd.reporting import contents, individual_contents, joint
from pkpd.reporting.folder import FitFolder, read_card, read_folder
from pkpd.reporting.individual_folder import IndividualFolder, read_individual

HERE = Path(__file__).parent
ARMS, INDIVIDUAL, JOINT = "arms", "individual", "joint"


def report(folder: Path) -> Path:
    """Write `report.html` into the fit folder and give back its path.

    The card's `kind` picks the page: that of arm-level results (`arms`, or no kind stated), that of
    individual records (`individual`) or that of both (`joint`). Reads only the folder's files. The
    page is written under another name and renamed, so that a half-written page is never found.
    Raises `DataError` without a `card.json`, and for a kind that has no page.
    """
    folder = Path(folder)
    return write(html_of(folder), folder / "report.html")


def html_of(folder: Path) -> str:
    """Give back the page of a fit folder as text."""
    kind = read_card(folder / "card.json").get("kind") or ARMS
    if kind == ARMS:
        return page(read_folder(folder))
    if kind == INDIVIDUAL:
        return individual_page(read_individual(folder))
    if kind == JOINT:
        return joint_page(read_folder(folder), read_individual(folder))
    remedy = f"Kinds known: {ARMS}, {INDIVIDUAL}, {JOINT}. Run the fit again with this version."
    raise DataError([Fault(str(folder / "card.json"), f"kind '{kind}' has no page", remedy)])


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
    """Give back the page of an arm-level fit as text."""
    return rendered("page.html.j2", contents.contents(fit))


def individual_page(fit: IndividualFolder) -> str:
    """Give back the page of an individual-level fit as text."""
    return rendered("individual.html.j2", individual_contents.contents(fit))


def joint_page(arms: FitFolder, own: IndividualFolder) -> str:
    """Give back the page of a joint fit as text: that of its arms, with its individuals."""
    return rendered("page.html.j2", joint.contents(arms, own))


def rendered(template: str, values: dict) -> str:
    """Give back a template filled in, the style sheet within it."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    css = Markup((HERE / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(css=css, **values)
