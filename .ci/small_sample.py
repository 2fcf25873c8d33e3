"""Make a fit.toml small, for a run that looks at the plumbing: `small_sample.py fit.toml`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

SMALL = {
    "patients": {"count": 16},
    "sampler": {"chains": 2, "pilot": 20, "tune": 30, "draws": 30, "max_treedepth": 4},
    "predictions": {"patients": 64, "draws": 20},
}


def made_small(text: str) -> str:
    """The text with these keys set in these sections, which are added if they are not there."""
    for section, values in SMALL.items():
        lines = "".join(f"{key} = {value}\n" for key, value in values.items())
        head = f"[{section}]\n"
        before, found, after = text.partition(f"\n{head}")
        own, following, rest = after.partition("\n[")
        for key in values:
            own = re.sub(rf"^{key}\s*=.*\n?", "", own, flags=re.MULTILINE)
        text = f"{before}\n{head}{lines}{own}{following}{rest}" if found else text
        text = text if found else f"{text}\n{head}{lines}"
    return text


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(made_small(path.read_text("utf-8")), "utf-8")
