"""A model in full, as words: equations, numbers with their sources, assumptions and warnings."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pkpd.model import Model, Parameter, Source

_EQUATIONS = ("individual", "initial", "turnover", "rates", "outputs")
_KINDS = {
    "pk": "pharmacokinetic (drug in, levels out)",
    "pd": "response (levels in, effect out)",
    "pkpd": "joined (drug in, levels and effect out)",
}


def statement(model: Model) -> str:
    """The model in full; ends with what to do next."""
    parts = [
        f"{model.name}: {model.title}",
        f"WARNING. {model.warning}" if model.warning else "",
        model.summary,
        _facts(model),
        *_told_equations(model),
        _block("Parameters", _parameters(model.parameters)),
        _block("Covariates", [_covariate(c) for c in model.covariates]),
        _block("Correlations of random effects", [_correlation(c) for c in model.correlations]),
        _block("Assumptions and deviations", [f"- {line}" for line in model.assumptions]),
        _block("Published claims it is held to", [_claim(claim) for claim in model.claims]),
        _next(model),
    ]
    return "\n\n".join(part for part in parts if part)


def described(model: Model) -> dict[str, Any]:
    """The model as plain data; equations are told by their source text."""
    return {field.name: _plain(getattr(model, field.name)) for field in dataclasses.fields(model)}


def _facts(model: Model) -> str:
    units = ", ".join(f"{name} {unit}" for name, unit in model.units.items())
    facts = {
        "kind": _KINDS[model.kind] + _solved(model),
        "drug": model.drug,
        "states": ", ".join(model.states),
        "doses into": ", ".join(model.doses_into),
        "inputs": ", ".join(model.inputs),
        "dosing": ", ".join(f"{name} is {to}" for name, to in model.dosing.items()),
        "units": units,
        "residual": _spread(model.residual) if model.residual else None,
    }
    return "\n".join(f"{name:<12}{text}" for name, text in facts.items() if text)


def _solved(model: Model) -> str:
    if model.linear:
        return ", linear: has a closed form"
    return ", stiff: solved by an implicit method" if model.stiff else ""


def _told_equations(model: Model) -> list[str]:
    """The equations, each with what it calls of its own file; of a joined model, part by part."""
    parts = model.parts or (model,)
    return [
        _block(f"Equations: {title}" + (f" of {part.name}" if model.parts else ""), lines)
        for part in parts
        for title, lines in _sources(part).items()
    ]


def _sources(model: Model) -> dict[str, list[str]]:
    """Source lines by name of the equation."""
    functions = {name: getattr(model, name) for name in _equations(model)}
    called = {f.__name__: f for each in functions.values() for f in _calls(each)}
    both = {**called, **functions}
    return {name: _source_text(function).splitlines() for name, function in both.items()}


def _calls(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Functions of the same file that a function calls by name."""
    if not inspect.isfunction(function):
        return []
    found = [function.__globals__.get(name) for name in function.__code__.co_names]
    return [f for f in found if inspect.isfunction(f) and f.__module__ == function.__module__]


def _equations(model: Model) -> list[str]:
    """The equations a model has; rates that its turnover gives are not told twice."""
    told = {"rates"} if model.turnover else set()
    return [name for name in _EQUATIONS if getattr(model, name) and name not in told]


def _source_text(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip()
    except OSError:  # built without a file
        return f"{function.__name__}{inspect.signature(function)}: {inspect.getdoc(function)}"


def _parameters(parameters: Iterable[Parameter]) -> list[str]:
    head = ("name", "value", "unit", "scale", "between subjects", "prior", "meaning", "source")
    rows = [head, *(_parameter(parameter) for parameter in parameters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        *short, _, _ = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append("  ".join([*short, row[-2]]).rstrip())
        lines.append(f"    {row[-1]}")
    return lines


def _parameter(parameter: Parameter) -> tuple[str, ...]:
    scope = {"all": "", "drug": f" (each drug its own: {', '.join(parameter.only) or 'all'})"}
    trials = parameter.between_trials
    return (
        parameter.name,
        f"{parameter.value:g}",
        parameter.unit,
        parameter.scale,
        _spread(parameter.between) if parameter.between else "-",
        _spread(parameter.prior) if parameter.prior else "fixed",
        parameter.meaning
        + scope[parameter.per]
        + (f"; between trials {_spread(trials)}" if trials else ""),
        "; ".join(str(text) for text in (parameter.source, parameter.reason) if text),
    )


def _spread(value: Any) -> str:
    """A spread or a prior with its kind, as `Cv(0.2)` or `LogNormal(median 2, sd 1)`."""
    fields = dataclasses.fields(value)
    if len(fields) == 1:
        return f"{type(value).__name__}({getattr(value, fields[0].name):g})"
    inside = ", ".join(f"{field.name} {getattr(value, field.name):g}" for field in fields)
    return f"{type(value).__name__}({inside})"


def _covariate(covariate: Any) -> str:
    spread = f", {_spread(covariate.spread)}" if covariate.spread else ""
    return (
        f"{covariate.name}: {covariate.meaning}; "
        f"reference {covariate.reference:g} {covariate.unit}{spread}"
    )


def _correlation(correlation: Any) -> str:
    return (
        f"{correlation.first} and {correlation.second}: {correlation.value:g}; {correlation.source}"
    )


def _claim(claim: Any) -> str:
    return f"- {claim.statement}, within {claim.tolerance:.0%}; {claim.source}"


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) if lines else ""


def _next(model: Model) -> str:
    if model.inputs:
        return (
            f"Next: name it after the model that drives it, `pkpd show MODEL+{model.name}`; or "
            "as `model` in a fit.toml, then `pkpd check FIT`."
        )
    return f"Next: pkpd simulate {model.name} --events events.csv --out out.csv"


def _plain(value: Any) -> Any:
    if callable(value):
        return _source_text(value)
    if isinstance(value, Source):
        return str(value)
    if dataclasses.is_dataclass(value):
        kind = {"kind": type(value).__name__} if len(dataclasses.fields(value)) < 3 else {}
        return kind | {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value
