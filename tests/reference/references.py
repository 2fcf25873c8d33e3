"""Every reference fit by name; as a program, rows of docs/reference-fits.md.

python tests/reference/references.py [NAME ...]
"""

from __future__ import annotations

import sys

import acop_fit
import folder_fits
import nimotuzumab_fit
import phenobarbital_fit
import platcov_fit
import remifentanil_fit
from published import Reference, fitted, rows

REFERENCES: dict[str, Reference] = {
    each.name: each
    for each in (
        folder_fits.THEOPHYLLINE,
        phenobarbital_fit.REFERENCE,
        remifentanil_fit.REFERENCE,
        folder_fits.WARFARIN_PKPD,
        nimotuzumab_fit.REFERENCE,
        platcov_fit.REFERENCE,
        acop_fit.REFERENCE,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:] or REFERENCES:
        found = fitted(REFERENCES[name])
        print(f"## {name}: {found.reference.data}\n{found.reference.model}; {found.seconds:.0f} s")
        print("\n".join(rows(found)))
        print("\n".join(f"MISSED {each}" for each in found.missed), flush=True)
