"""Everything the page of a joint fit prints: the arms' page, and the individuals beside them."""

from __future__ import annotations

from dataclasses import replace

from pkpd.reporting import contents as of_arms
from pkpd.reporting.folder import FitFolder
from pkpd.reporting.individual_contents import count_sentence, of_data
from pkpd.reporting.individual_folder import IndividualFolder
from pkpd.reporting.individual_tables import centring_table
from pkpd.reporting.words import listing

OWN = ("gof.csv", "vpc.csv", "npde.csv", "individuals.csv")
"""The individuals' tables, as an individual-level fit has them."""


def contents(arms: FitFolder, own: IndividualFolder) -> dict:
    """Give back everything the template prints; both were read from one folder."""
    absent = tuple(dict.fromkeys([*arms.absent, *own.absent]))
    found = of_arms.contents(replace(arms, absent=absent))
    return {**found, "individual": individual_part(own)}


def individual_part(own: IndividualFolder) -> dict:
    """Give back what is printed of the individuals: who they are, and the checks against them."""
    about, centring = own.card.get("individual") or {}, own.card.get("centring") or {}
    shared = [str(name) for name in about.get("shared") or []]
    said = [
        count_sentence(about),
        f"Model: {about['model']}." if "model" in about else "",
        f"Shared with the arms: {listing(shared)}." if shared else "",
    ]
    return {
        "title": " on ".join(str(about[key]) for key in ("study", "drug") if key in about),
        "sentence": " ".join(part for part in said if part),
        "centring": centring_table(centring) if centring else None,
        **of_data(own),
    }
