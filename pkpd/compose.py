"""Two models made one: the levels of a pharmacokinetic model drive a response.

The joined states are x = (x_pk, x_pd), and with u the outputs of the first model at x_pk

    x_pk' = rates_pk(t, x_pk, p, {}),    x_pd' = rates_pd(t, x_pd, p, u).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pkpd.errors import ModelError
from pkpd.model import Covariate, Model, Named


def compose(pk: Model, pd: Model) -> Model:
    """The model "PK+PD": states of both, the response's after the other's, doses into the first.

    Raises
    ------
    ModelError
        With everything that keeps the two from going together: names they share, units that
        differ, inputs that nothing gives.
    """
    wrong = [*_unfit(pk, pd), *_clashes(pk, pd), *_disagreements(pk, pd)]
    if wrong:
        listed = "\n".join(f"  - {sentence}" for sentence in wrong)
        raise ModelError(f"{pk.name} and {pd.name} do not go together:\n{listed}")
    name = f"{pk.name}+{pd.name}"
    return Model(
        name=name,
        title=f"{pk.title}; {pd.title}",
        summary=f"What {pk.name} gives drives {pd.name}. {pd.summary}",
        kind="pkpd",
        drug=pk.drug or pd.drug,
        parameters=(*pk.parameters, *pd.parameters),
        states=(*pk.states, *pd.states),
        rates=_rates(pk, pd),
        outputs=_outputs(pk, pd),
        initial=_initial(pk, pd),
        individual=_individual(pk, pd),
        units={**pk.units, **pd.units},
        covariates=tuple(_covariates(pk, pd).values()),
        correlations=(*pk.correlations, *pd.correlations),
        doses_into=pk.doses_into,
        dosing={**pk.dosing, **pd.dosing},
        # Rates of a response without states are those of the first model.
        linear=pk.linear and not pd.states,
        stiff=pk.stiff or pd.stiff,
        assumptions=tuple(dict.fromkeys((*pk.assumptions, *pd.assumptions))),
        claims=(*pk.claims, *pd.claims),
        residual=pk.residual,
        warning=" ".join(filter(None, (pk.warning, pd.warning))) or None,
        parts=(*(pk.parts or (pk,)), *(pd.parts or (pd,))),
    )


def _rates(pk: Model, pd: Model) -> Callable[[Any, Named, Named, Named], dict[str, Any]]:
    def rates(t: Any, x: Named, p: Named, u: Named) -> dict[str, Any]:
        driven = {**u, **pk.outputs({**x, "t": t}, p)} if pd.inputs else u
        return {**pk.rates(t, x, p, u), **pd.rates(t, x, p, driven)}

    return rates


def _outputs(pk: Model, pd: Model) -> Callable[[Named, Named], dict[str, Any]]:
    def outputs(x: Named, p: Named) -> dict[str, Any]:
        driven = pk.outputs(x, p)
        return {**driven, **pd.outputs({**x, **driven}, p)}

    return outputs


def _initial(pk: Model, pd: Model) -> Callable[[Named], dict[str, Any]] | None:
    if pk.initial is None and pd.initial is None:
        return None

    def initial(p: Named) -> dict[str, Any]:
        given = [model.initial(p) for model in (pk, pd) if model.initial]
        start = dict.fromkeys((*pk.states, *pd.states), 0.0)
        return start | {name: value for each in given for name, value in each.items()}

    return initial


def _individual(pk: Model, pd: Model) -> Callable[[Named, Named], dict[str, Any]] | None:
    if pk.individual is None and pd.individual is None:
        return None

    def individual(p: Named, covariates: Named) -> dict[str, Any]:
        return {**_own(pk, p, covariates), **_own(pd, p, covariates)}

    return individual


def _own(model: Model, p: Named, covariates: Named) -> Mapping[str, Any]:
    """The individual's parameters that the equations of one of the models see."""
    if model.individual:
        return model.individual(p, covariates)
    return {parameter.name: p[parameter.name] for parameter in model.parameters}


def _covariates(*models: Model) -> dict[str, Covariate]:
    return {covariate.name: covariate for model in models for covariate in model.covariates}


def _unfit(pk: Model, pd: Model) -> list[str]:
    wrong = []
    if pk.inputs:
        wrong.append(f"{pk.name} itself needs {', '.join(pk.inputs)}: name first what gives it")
    if pd.kind != "pd":
        wrong.append(f"{pd.name} is no response model: only the first may take doses")
    given = _observed(pk)
    wrong += [
        f"{pd.name} needs {name}; {pk.name} gives {', '.join(given)}"
        for name in pd.inputs
        if not pk.inputs and name not in given
    ]
    return wrong


def _observed(model: Model) -> list[str]:
    """Names of a model's outputs, seen by running it once at typical values."""
    p = _own(model, model.typical(), {c.name: c.reference for c in model.covariates})
    start = model.initial(p) if model.initial else dict.fromkeys(model.states, 0.0)
    return list(model.outputs({**start, **dict.fromkeys(model.inputs, 0.0), "t": 0.0}, p))


def _clashes(pk: Model, pd: Model) -> list[str]:
    """Names that would mean two things, by what they name."""
    kinds = {"parameters": _parameters, "states and outputs": _levels}
    found = {kind: [n for n in names(pk) if n in names(pd)] for kind, names in kinds.items()}
    return [
        f"both have {kind} named {', '.join(shared)}: rename them in one file"
        for kind, shared in found.items()
        if shared
    ]


def _parameters(model: Model) -> dict[str, None]:
    """Names in the parameters as a file gives them, and as its equations see them."""
    seen = _own(model, model.typical(), {c.name: c.reference for c in model.covariates})
    return dict.fromkeys([*model.typical(), *seen])


def _levels(model: Model) -> dict[str, None]:
    return dict.fromkeys([*model.states, *_observed(model)])


def _disagreements(pk: Model, pd: Model) -> list[str]:
    """Units and covariates that both have and tell differently."""
    first, second = _covariates(pk), _covariates(pd)
    wrong = [
        f"{name} is in {unit} in {pk.name}, in {pd.units[name]} in {pd.name}"
        for name, unit in pk.units.items()
        if pd.units.get(name, unit) != unit
    ]
    wrong += [
        f"covariate {name} is not the same in both: {first[name]} and {second[name]}"
        for name in first
        if name in second and first[name] != second[name]
    ]
    mixed = [*(n for n in second if n in pk.typical()), *(n for n in first if n in pd.typical())]
    return wrong + [f"{name} is a parameter in one, a covariate in the other" for name in mixed]
