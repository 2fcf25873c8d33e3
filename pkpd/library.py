"""Models by name: files of `models/` found, loaded, checked and joined; never imported by path."""

from __future__ import annotations

import difflib
import functools
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from pkpd.compose import compose
from pkpd.errors import ModelError
from pkpd.model import DOSING, Model

_PACKAGE = Path(__file__).parent
_BUILDS = re.compile(r"^model\s*(:[^=\n]+)?=\s*Model\(", re.MULTILINE)


def models() -> dict[str, Path]:
    """Every model file by name.

    Those of the nearest folder `models/` with model files, from the working folder upwards; else
    of the one beside this package's source; else those that came with the installed package.
    """
    here = Path.cwd()
    places = [
        *(folder / "models" for folder in (here, *here.parents)),
        _PACKAGE.parent / "models",
        _PACKAGE / "_library" / "models",
    ]
    return next((found for found in map(_model_files, places) if found), {})


def load(name: str) -> Model:
    """The model of that name; "A+B" is A with its response B, "A+B+C" that with C.

    Raises
    ------
    ModelError
        If there is none, with the nearest names and all there are; if its file builds none; if
        the model does not make sense; or if models do not go together.
    """
    paths = [_path(part.strip()) for part in name.split("+")]
    return _joined(*((path, path.stat().st_mtime_ns) for path in paths))


def _path(name: str) -> Path:
    """The file of the model of that name."""
    found = models()
    if name not in found:
        near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        known = ", ".join(found) or "none: there is no folder models/ here or above"
        raise ModelError(f"There is no model '{name}'.{meant} Models: {known}.")
    return found[name].resolve()


def check_model(model: Model) -> tuple[str, ...]:
    """What does not make sense in a model, one sentence each; empty if nothing."""
    return (*_doubled(model), *_unknown_names(model), *_unsourced(model), *_equations(model))


@functools.cache
def _joined(*files: tuple[Path, int]) -> Model:
    """Cached, so that programs compiled for the equations of joined models live on, too."""
    return functools.reduce(compose, (_loaded(path, changed) for path, changed in files))


@functools.cache
def _loaded(path: Path, changed: int) -> Model:
    """Cached by file and time of change, so that programs compiled for its equations live on."""
    name = f"pkpd_models_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} cannot be read as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling of functions look the module up here
    spec.loader.exec_module(module)
    model = vars(module).get("model")
    if not isinstance(model, Model):
        raise ModelError(f"{path} builds no model: it must end in model = Model(...).")
    wrong = [*check_model(model)]
    if model.name != path.stem:
        wrong.insert(0, f"it is named '{model.name}' in a file named '{path.stem}'")
    if wrong:
        listed = "\n".join(f"  - {sentence}" for sentence in wrong)
        raise ModelError(f"{path} does not make sense:\n{listed}")
    return model


def _model_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    return {path.stem: path for path in files if _BUILDS.search(path.read_text("utf-8"))}


def _doubled(model: Model) -> list[str]:
    names = [p.name for p in model.parameters] + [c.name for c in model.covariates]
    return [f"'{name}' is named twice" for name in sorted({n for n in names if names.count(n) > 1})]


def _unknown_names(model: Model) -> list[str]:
    own = {parameter.name for parameter in model.parameters}
    varying = {p.name for p in model.parameters if p.between is not None}
    wrong = [
        f"doses go into '{s}', which is no state" for s in model.doses_into if s not in model.states
    ]
    for correlation in model.correlations:
        pair = {correlation.first, correlation.second}
        wrong += [
            f"a correlation names '{name}', which has no spread between subjects"
            for name in sorted(pair - varying)
        ]
        if not -1 < correlation.value < 1:
            wrong.append(f"the correlation of {' and '.join(sorted(pair))} is not within -1 and 1")
    roles = {f"{role}_{state}" for role in DOSING for state in model.states}
    wrong += [
        f"dosing names '{name}', which is not one of {', '.join(sorted(roles))}"
        for name in model.dosing
        if name not in roles
    ]
    if model.individual is None:
        wrong += [
            f"dosing gives '{name}' to '{to}', which is no parameter"
            for name, to in model.dosing.items()
            if to not in own
        ]
    return wrong


def _unsourced(model: Model) -> list[str]:
    return [
        f"parameter '{p.name}' has neither a source nor a reason"
        for p in model.parameters
        if p.source is None and not p.reason
    ]


def _equations(model: Model) -> list[str]:
    """Faults seen by running the equations once, at typical values."""
    p = individual(model)
    start = model.initial(p) if model.initial else dict.fromkeys(model.states, 0.0)
    wrong = [] if set(start) == set(model.states) else ["initial does not give every state"]
    rates = model.rates(0.0, start, p, dict.fromkeys(model.inputs, 0.0))
    if set(rates) != set(model.states):
        wrong.append(f"rates give {', '.join(rates)}; states are {', '.join(model.states)}")
    units = set(model.units)
    wrong += [f"'{name}' has no unit" for name in _with_units(model, p, start) if name not in units]
    return wrong


def _with_units(model: Model, p: Mapping, start: Mapping) -> list[str]:
    observed = model.outputs({**start, **dict.fromkeys(model.inputs, 0.0), "t": 0.0}, p)
    return ["time", *(model.states if model.kind == "pk" else ()), *observed]


def individual(
    model: Model, values: Mapping | None = None, covariates: Mapping | None = None
) -> dict:
    """The parameters of an individual, typical where nothing else is given."""
    p = {**model.typical(), **(values or {})}
    reference = {covariate.name: covariate.reference for covariate in model.covariates}
    given = {**reference, **(covariates or {})}
    return dict(model.individual(p, given)) if model.individual else dict(p)
