"""Two arms of the real data, and eight simulated patients of one more study of amlitelimab."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from pkpd import library
from pkpd.arm_level.problem import likelihood
from pkpd.data.events import read_events
from pkpd.individual.build import unsolved
from pkpd.joint.problem import joint_likelihood
from pkpd.mechanism.lanes import parts
from pkpd.settings_individual import Choice, Engine, IndividualSettings, Observation

sys.path.insert(0, str(Path(__file__).parents[1] / "arm_level"))

from small_fit import quick_compile, some_of, whole_fit  # noqa: E402

__all__ = ["quick_compile"]

ARMS_OF = "STREAM-AD-1"
DRUG, STUDY = "amlitelimab", "EXTRA-1"
MODEL = "amlitelimab_tiraboschi_2025+tcell_rebalancing"
VISITS = (28.0, 84.0, 168.0, 252.0)
TRUTH = {"gamma": 1.5, "ks": 0.05, "gamma_between": 0.4, "ks_between": 0.4,
         "placebo_between": 0.8, "ec50_between": 0.4, "easi_additive": 1.5,
         "concentration_proportional": 0.15}  # fmt: skip
PK_SPREAD = ("cl",)


def settings():
    """Outcomes of the study; of the published spreads that of clearance alone is kept."""
    pk = library.load(MODEL.split("+")[0])
    held = {p.name: Choice(between=0.0) for p in pk.parameters
            if p.between is not None and p.name not in PK_SPREAD}  # fmt: skip
    return IndividualSettings(
        name="small",
        title="A small joint fit",
        model=MODEL,
        data="small",
        parameters=held,
        engine=Engine(tolerance=1e-3),
        observations=(
            Observation(output="concentration", dvid="pk", priors={"proportional": 0.3}),
            Observation(output="easi_ratio", name="easi", dvid="easi", times="EASI0",
                        error="additive", priors={"additive": 3.0}),
        ),
    )  # fmt: skip


def records(subjects=8):
    """Six doses of 250 mg (none in every fourth subject) and the visits."""
    rows = {name: [] for name in ("ID", "TIME", "AMT", "EVID", "DVID", "ADDL", "II", "WT", "EASI0")}
    for who in range(1, subjects + 1):
        dose = 250.0 if who % 4 else 0.0
        lines = [(0.0, dose, 1, "pk", 5 if dose else 0, 28.0 if dose else 0.0)]
        seen = [(t, d) for t in VISITS for d in (("pk", "easi") if dose else ("easi",))]
        lines += [(t, 0.0, 0, d, 0, 0.0) for t, d in seen]
        if not dose:
            lines[0] = (0.0, 0.0, 2, "pk", 0, 0.0)  # time runs from the first record
        for line in lines:
            values = (who, *line, 60.0 + 5 * who, 20.0 + 3 * who)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    table = {name: np.array(values) for name, values in rows.items()}
    return table | {"DV": np.where(table["EVID"] == 0, 1.0, np.nan)}


@cache
def unplanned():
    """The individual likelihood of records not yet seen, without a mesh."""
    return unsolved(settings(), library.load(MODEL), read_events(records()).table, "fit.toml")


@cache
def blank():
    """The same on steps up to 1.75 days: sound up to rates of 1.6 a day."""
    bare = unplanned()
    line = bare.solver.timelines(bare.own(bare.space.unpack(bare.space.medians())))
    counts = np.maximum(1, np.ceil(np.asarray((line.end - line.start).max(axis=0)) / 1.75))
    cut = parts(counts.astype(int), np.zeros(counts.size, bool))
    return replace(bare, solver=replace(bare.solver, line=line, cut=cut))


@cache
def individual():
    """The likelihood of simulated records, at the truth with effects drawn."""
    made, random = blank(), np.random.default_rng(3)
    values = {n: np.asarray(v) for n, v in made.space.unpack(made.space.medians()).items()}
    values |= {n: np.asarray(v) for n, v in TRUTH.items()}
    values |= {n: random.normal(size=v.shape) for n, v in values.items() if n.endswith("_eta")}
    levels, easi = made.solver.design.streams
    expected = [np.asarray(f[s.observation.output]) * (1.0 if s.times is None else s.times)
                for s, f in zip((levels, easi), made.fitted(values), strict=True)]  # fmt: skip
    y = (
        expected[0] * (1 + TRUTH["concentration_proportional"] * random.normal(size=levels.y.size)),
        expected[1] + TRUTH["easi_additive"] * random.normal(size=easi.y.size),
    )
    streams = tuple(replace(s, y=new) for s, new in zip((levels, easi), y, strict=True))
    design = replace(made.solver.design, streams=streams)
    return replace(made, solver=replace(made.solver, design=design))


def two_arms(count):
    """Settings, data and models of the arms of STREAM-AD Part 1 alone, so many patients each."""
    fitted, data, disease, pk = whole_fit(count)
    some = some_of(data)
    arms = tuple(arm for arm in some.arms if arm.study == ARMS_OF)
    rows = some.rows[some.rows.study == ARMS_OF]
    return fitted, replace(some, arms=arms, rows=rows), disease, pk


@cache
def joint(count=8):
    """Both together."""
    arm_level = likelihood(*two_arms(count), 7.0)
    return joint_likelihood(arm_level, individual(), drug=DRUG, study=STUDY)
