"""The pages hold: generated parts are current, code that is marked runs, links lead somewhere."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
MARKED = re.compile(r"<!-- run -->\n```(console|python)\n(.*?)\n```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
# The word `pkpd` as this interpreter's package, wherever its script is.
PKPD = 'pkpd() { "$PYTHON" -c "from pkpd.cli import main; main()" "$@"; }\nset -e\n'


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_parts_are_current(path):
    generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))["generated"]
    text = path.read_text("utf-8")
    assert generated(text) == text, "run: python docs/generate.py"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    targets = LINK.findall(path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize(
    "path", [path for path in PAGES if MARKED.search(path.read_text("utf-8"))], ids=lambda p: p.name
)
def test_marked_code_runs_in_order(path, tmp_path):
    for folder in ("models", "fits"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for language, code in MARKED.findall(path.read_text("utf-8")):
        words = [sys.executable, "-c", code]
        if language == "console":
            typed = [line[2:] for line in code.splitlines() if line.startswith("$ ")]
            words = ["bash", "-c", PKPD + "\n".join(typed)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=_env())
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


def _env():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": path}


def test_the_readme_runs_something():
    assert len(MARKED.findall((ROOT / "README.md").read_text("utf-8"))) >= 3
