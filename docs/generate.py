"""Write the parts of the pages in docs/ that the code knows: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; a test compares it.
"""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from pkpd.library import load, models
from pkpd.reporting.folder import AFTER, COLUMNS
from pkpd.reporting.individual_folder import COLUMNS as INDIVIDUAL_COLUMNS
from pkpd.settings import Settings
from pkpd.settings_individual import IndividualSettings

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# What a key of fit.toml means; a section is told by its docstring.
MEANINGS = {
    "name": "name of the fit; the same as its folder",
    "title": "title of the report",
    "model": "response model, by name (`pkpd models`)",
    "data": "folder of `fits/data/`, by name",
    "drugs": "for each drug of the data, the model of its pharmacokinetics",
    "compare": "further models fitted to the same data, for the comparison",
    "discrepancy": "SD of the model's own error in each mean change, and count on its arcsine root",
    "endpoints.endpoint": "endpoint, as in the data",
    "endpoints.statistic": "statistic, as in the data",
    "endpoints.estimand": "estimand, as in the data",
    "dropout.phase": "name of the phase",
    "dropout.study": "study, as in the data",
    "dropout.from_week": "week of the study from which this hazard holds",
    "patients.count": "virtual patients an arm",
    "patients.seed": "seed of their draws",
    "patients.weight_mean": "mean weight, kg",
    "patients.weight_cv": "coefficient of variation of weight",
    "patients.albumin_mean": "mean albumin, g/L",
    "patients.albumin_sd": "standard deviation of albumin, g/L",
    "patients.easi_entry": "lowest EASI at which a patient may enter",
    "patients.easi_sd": "standard deviation of EASI at entry where none is posted",
    "sampler.chains": "chains",
    "sampler.pilot": "draws a chain of a short run that says where the posterior lies; 0 for none",
    "sampler.tune": "draws a chain that tune the sampler and are dropped",
    "sampler.draws": "draws a chain that are kept",
    "sampler.target_accept": "acceptance that tuning aims at",
    "sampler.max_treedepth": "doublings of a trajectory at most",
    "sampler.adaptation": "shape that steps adapt to: `diag` or `low_rank`",
    "sampler.seed": "seed",
    "sampler.tolerance": "largest error of an arm's mean EASI ratio that the planned mesh may have",
    "demands.rhat": "R-hat at most",
    "demands.ess_bulk": "effective sample size of the bulk at least",
    "demands.ess_tail": "effective sample size of the tails at least",
    "demands.divergences": "divergent transitions at most",
    "demands.bfmi": "energy fraction of missing information at least",
    "demands.tree_depth_share": "share of draws that end at max_treedepth at most",
    "demands.pareto_k": "Pareto k of draws against a tight solve, below",
    "demands.points_error": (
        "error that the number of points may leave in a posterior mean, in its SDs; of "
        'individual-level fits with `sampler.effects = "integrated"`'
    ),
    "demands.coverage_low": "share of observed rows within 90 % predictive intervals at least",
    "demands.coverage_high": "the same, at most",
    "predictions.selection_week": "week at which responders are taken",
    "predictions.weeks": "weeks predicted, from the first dose of induction",
    "predictions.intervals": "weeks between maintenance doses; stopping is always added",
    "predictions.endpoints": "endpoints predicted",
    "predictions.patients": "virtual patients a regimen",
    "predictions.draws": "posterior draws used",
    "predictions.level": "probability inside the intervals",
    "predictions.margin": "loss of response, against 4 weeks, that a decision tolerates",
    "predictions.kept_share": "share of what 4 weeks keep that a decision asks an interval to keep",
    "predictions.probability": "probability with which a decision asks for it",
    "predictions.seed": "seed",
    "predictions.loss.kept": "loss of a patient-year with response",
    "predictions.loss.lost": "loss of a patient-year without response",
    "predictions.loss.injection": "loss of an injection",
    "predictions.questions.drug": "drug",
    "predictions.questions.induction": "regimen until selection_week",
    "predictions.questions.dose": "dose of each maintenance administration, mg",
}


def settings_table() -> str:
    """The keys of fit.toml, section by section."""
    return "\n".join(_section("", Settings)).strip()


def _section(prefix: str, section: type[BaseModel]) -> Iterator[str]:
    fields = section.model_fields
    inner = {name: field for name, field in fields.items() if _inner(field.annotation)}
    yield from ("| key | default | meaning |", "|---|---|---|")
    for name, field in fields.items():
        if name not in inner:
            default = "required" if field.is_required() else f"`{_told(field.default)}`"
            yield f"| `{name}` | {default} | {MEANINGS[prefix + name]} |"
    for name, field in inner.items():
        below, many = _inner(field.annotation)
        head = f"[[{prefix}{name}]]" if many else f"[{prefix}{name}]"
        needed = " Required." if field.is_required() else ""
        yield from ("", f"**`{head}`** {below.__doc__}{needed}", "")
        yield from _section(f"{prefix}{name}.", below)


def _inner(annotation: Any) -> Any:
    """The section that a field holds, and whether it holds many; None if it holds values."""
    inside = [each for each in get_args(annotation) if isinstance(each, type)]
    found = [each for each in inside if issubclass(each, BaseModel)]
    if found:
        return found[0], True
    plain = isinstance(annotation, type) and not get_args(annotation)
    return (annotation, False) if plain and issubclass(annotation, BaseModel) else None


def _told(value: Any) -> str:
    listed = isinstance(value, tuple)
    return str(list(value)).replace("'", '"') if listed else str(value)


def individual_settings() -> str:
    """What the fit.toml of an individual-level fit may say: each table in its own words."""
    return "\n\n".join(_tables("", IndividualSettings, False))


def _tables(name: str, section: type[BaseModel], many: bool) -> Iterator[str]:
    head = f"[[{name}]]" if many else f"[{name}]"
    if name:
        yield f"**`{head}`** {' '.join((section.__doc__ or '').split())}"
    keys, below = [], []
    for key, field in section.model_fields.items():
        if (found := _inner(field.annotation)) and found[0].__name__ not in KNOWN_SECTIONS:
            named = key if not name else f"{name}.{key}"
            listed = not str(field.annotation).startswith("dict")
            below.append((named if listed else f"{named}.NAME", found[0], found[1] and listed))
        else:
            default = "required" if field.is_required() else _told(field.default)
            keys.append(f"`{key}` ({default})")
    yield "Keys and defaults: " + ", ".join(keys) + "."
    for each in below:
        yield from _tables(*each)


KNOWN_SECTIONS = ("Sampler", "Demands")
"""Told in the page on fits of arms, by the same keys."""


def individual_results() -> str:
    """The tables in an individual-level fit's folder, and their columns."""
    return _columns(INDIVIDUAL_COLUMNS)


def results_table() -> str:
    """The tables in a fit's folder, and their columns."""
    return _columns(COLUMNS | AFTER)


def _columns(tables: Mapping[str, str]) -> str:
    lines = ["| file | columns |", "|---|---|"]
    for file, columns in tables.items():
        lines.append(f"| `{file}` | {' '.join(columns.split(','))} |")
    return "\n".join(lines)


def models_page() -> str:
    """Every model: what it is, its numbers, where they come from."""
    return "\n\n".join(_model(name) for name in models())


def _model(name: str) -> str:
    model = load(name)
    facts = [model.kind, model.drug, "closed form" if model.linear else "ODE"]
    sources = {p.source.paper for p in model.parameters if p.source and " " in p.source.paper}
    lines = [
        f"## {name}",
        f"{model.title} ({', '.join(fact for fact in facts if fact)}). {model.summary}",
        f"**{model.warning}**" if model.warning else "",
        f"States: {', '.join(model.states)}. Parameters: "
        + ", ".join(f"{p.name} {p.value:g} {p.unit}" for p in model.parameters)
        + ".",
        "\n".join(f"- {line}" for line in model.assumptions),
        f"Sources: {'; '.join(sorted(sources))}." if sources else "",
    ]
    return "\n\n".join(line for line in lines if line)


def rooms_list() -> str:
    """The rooms in order, each with its files and what they say of themselves."""
    architecture = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))
    rooms, files, room = (architecture[name] for name in ("ROOMS", "FILES", "room"))
    lines = []
    for place, names in enumerate(rooms):
        inside = [m for m in files if room(m) == place and files[m].read_text("utf-8").strip()]
        lines.append(f"{place + 1}. **{', '.join(names)}**")
        lines += [f"   - `{module}`: {_first_line(files[module])}" for module in inside]
    return "\n".join(lines)


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n")[0]


PARTS = {
    "settings": settings_table,
    "results": results_table,
    "individual_settings": individual_settings,
    "individual_results": individual_results,
    "models": models_page,
    "rooms": rooms_list,
}


def generated(page: str) -> str:
    """The page with its generated parts written anew."""
    return PART.sub(lambda found: found[1] + PARTS[found[2]]() + "\n" + found[3], page)


def main() -> None:
    """Write every page anew."""
    for path in DOCS.glob("*.md"):
        path.write_text(generated(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
