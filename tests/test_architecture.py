"""The rooms of the house: imports run down the list, files and functions stay small."""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A module may import from its own room and those above it. Told to people in docs/architecture.md.
ROOMS = (
    ("errors",),
    ("units",),
    ("responses",),
    ("files", "checkpoint", "threads", "workers"),
    ("variation.spread", "variation.prior"),
    ("model", "model_units"),
    ("regimen",),
    ("data",),
    ("mechanism",),
    ("records", "early_records"),
    ("compose",),
    ("library",),
    ("statement",),
    ("simulation",),
    ("settings", "settings_individual", "settings_joint"),
    ("variation",),
    ("arm_level",),
    ("individual",),
    ("points",),
    ("averaged",),
    ("points_search",),
    ("points_scoring",),
    ("densities",),
    ("search",),
    ("joint",),
    ("pymc_bridge",),
    ("posterior",),
    ("sampling", "individual_sampling", "joint_sampling"),
    ("points_sampling", "averaged_sampling"),
    ("diagnosis",),
    ("prediction",),
    ("decision",),
    ("provenance",),
    ("fit_folder", "individual_folder", "joint_folder"),
    ("reporting",),
    ("fitting",),
    ("validation",),
    (
        "individual_workflow",
        "joint_workflow",
        "quick_looks",
        "quick_mode",
        "quick_population",
        "quick_pathfinder",
        "quick_points",
        "prior_check",
        "patient_questions",
        "individual_forecast",
    ),  # fmt: skip
    ("opened",),
    ("decision_workflow", "assurance_workflow", "courses_workflow"),
    ("workflow",),
    ("doctor",),
    ("cli",),
)
# A package, and the only places that may import it.
KEPT_TO = {
    "pymc": ("pymc_bridge",),
    "pytensor": ("pymc_bridge",),
    "nutpie": ("pymc_bridge",),
    "blackjax": ("quick_pathfinder",),
    "matplotlib": ("reporting",),
    "distributed": ("workers",),
    "zarr": ("prediction",),
    "typer": ("cli",),
    "rich": ("cli",),
}
TRANSITIVE = {
    "pytensor",
    "equinox",
    "jaxlib",
    "arviz_stats",
}  # each comes with a package that pyproject names
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 400, 60, 8
# Modules with a function of more parameters than MOST_PARAMETERS; one that has healed fails.
KNOWN_LONG = ("mechanism.exposure",)
MODEL_FILES_IMPORT = {"pkpd", "jax", "numpy", "math", "typing", "__future__", "collections"}

FILES = {
    ".".join(path.relative_to(ROOT / "pkpd").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "pkpd").rglob("*.py"))
    if path != ROOT / "pkpd" / "__init__.py"  # the door: it may open on any room
}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def ours(path: Path) -> set[str]:
    """Modules of pkpd that a file imports."""
    dotted = {name.removeprefix("pkpd.") for name in imported(path) if name.startswith("pkpd.")}
    return {name if name in FILES else name.rpartition(".")[0] for name in dotted}


def room(module: str) -> int:
    """The place in ROOMS of the longest name that the module stands under."""
    found = [
        (len(name), place)
        for place, names in enumerate(ROOMS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    assert found, f"pkpd/{module} stands in no room: name it in ROOMS and docs/architecture.md"
    return max(found)[1]


@pytest.mark.parametrize("module", FILES)
def test_imports_run_down_the_rooms(module):
    upward = {name for name in ours(FILES[module]) if name and room(name) > room(module)}
    assert not upward, f"{module} imports {upward}, of rooms below it in the list"


def test_no_module_imports_itself_by_a_ring():
    graph = {module: ours(path) - {module, ""} for module, path in FILES.items()}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", KEPT_TO)
def test_a_package_is_kept_to_its_rooms(package):
    allowed = {room(name) for name in KEPT_TO[package]}
    users = {m for m, p in FILES.items() if package in {n.split(".")[0] for n in imported(p)}}
    assert {m for m in users if room(m) not in allowed} == set()


def test_the_mechanism_knows_no_tables_and_no_chance():
    inside = set().union(*(imported(p) for m, p in FILES.items() if m.startswith("mechanism")))
    assert not {"pandas", "random"} & {name.split(".")[0] for name in inside}
    assert not any(name.startswith(("jax.random", "numpy.random")) for name in inside)


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.py")), ids=lambda p: p.stem)
def test_a_model_file_imports_only_what_equations_need(path):
    assert {name.split(".")[0] for name in imported(path)} <= MODEL_FILES_IMPORT


def test_pkpd_never_imports_a_model_file():
    assert "models" not in {name.split(".")[0] for p in FILES.values() for name in imported(p)}


@pytest.mark.parametrize("module", FILES)
def test_files_and_functions_are_small(module):
    text = FILES[module].read_text("utf-8")
    assert text.count("\n") <= LONGEST_FILE
    functions = [node for node in ast.walk(tree(FILES[module])) if isinstance(node, FUNCTIONS)]
    lengths = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(m, marks=pytest.mark.xfail(strict=True)) if m in KNOWN_LONG else m
        for m in FILES
        if not m.startswith("cli")  # a verb has as many parameters as its user has words
    ],
)
def test_functions_take_few_parameters(module):
    functions = [node for node in ast.walk(tree(FILES[module])) if isinstance(node, FUNCTIONS)]
    counts = {f.name: len(f.args.args) + len(f.args.kwonlyargs) for f in functions}
    assert {name: n for name, n in counts.items() if n > MOST_PARAMETERS} == {}


def test_no_two_files_of_tests_have_the_same_name():
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    assert [p for p in paths if [q.name for q in paths].count(p.name) > 1] == []


def test_every_import_is_of_a_package_that_pyproject_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = project["dependencies"] + extras["quick"] + extras["cluster"]
    known = (
        {line.split(">")[0].split("[")[0] for line in named} | {"pkpd"} | sys.stdlib_module_names
    )
    used = {name.split(".")[0] for path in FILES.values() for name in imported(path)}
    assert used - known - TRANSITIVE == set()
