"""The rival in Stan, where PyStan is installed: log-density, gradient, courses without derivatives.

`pip install pystan` brings Stan's library; the program is compiled once, in about a minute, and
kept by PyStan. Gradients are timed in a process of their own: the adjoint solver gives up (CVODES
error -3) where others have used the memory before it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sixty import MEDIANS, NAMES, SIGMA_PD, SIGMA_PK, VARYING, Problem, simulated, sixty
from timing import seconds

from pkpd.individual.design import Design

PROGRAM = Path(__file__).with_name("reference.stan")
GRADIENTS, FORWARD = ("rk45", "adjoint BDF"), ("rk45", "BDF")
TIMES, METHODS = 7, {"rk45": 1, "adjoint BDF": 2, "BDF": 3}
RESIDUAL = {"concentration_lognormal": SIGMA_PK, "lesion_additive": SIGMA_PD}


@dataclass(frozen=True)
class Stan:
    """The program with its data, asked at one point; every call takes method, rtol and atol.

    Coordinates are logarithms of what is positive, without their Jacobian, as in `unconstrained`.
    """

    program: Any
    data: dict[str, Any]
    at: list[float]

    def log_density(self, *how: Any) -> float:
        """All constants kept."""
        return self.program.log_prob(self._told(0, *how), self.at, False)

    def gradient(self, *how: Any) -> np.ndarray:
        """In Stan's order. Its adjoint solver gives up now and then, and is asked again."""
        told, tries = self._told(0, *how), 3
        while True:
            try:
                return np.array(self.program.log_prob_grad(told, self.at, False))
            except ValueError:
                tries -= 1
                if not tries:
                    raise

    def courses(self, *how: Any) -> np.ndarray:
        """Concentration and lesions at all times after 0: (2, times, subjects)."""
        found = self.program.write_array(self._told(1, *how), self.at, False, True)
        shape = self.data["subjects"], 2, self.data["grid"]
        shown = np.array(found[len(self.at) :]).reshape(shape, order="F")
        return np.moveaxis(shown, 0, 2)

    def _told(self, forward: int, method: str, relative: float, absolute: float) -> dict[str, Any]:
        how = {"forward": forward, "method": METHODS[method]}
        return self.data | how | {"relative": relative, "absolute": absolute}


def gradient(problem: Problem, method: str, *how: float) -> tuple[float, float, np.ndarray]:
    """CPU seconds of a gradient, by a process of its own; the log-density and the gradient."""
    words = [sys.executable, __file__, str(problem.patients), method, *map(str, how)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return told["seconds"], told["value"], np.array(told["slope"])


def installed() -> bool:
    """Whether Stan can be had."""
    return importlib.util.find_spec("httpstan") is not None


def by_stan(design: Design, values: Mapping[str, Any]) -> Stan:
    """The program for a design in which all subjects have the same doses and visits."""
    return Stan(_compiled(), _data(design), _unconstrained({**RESIDUAL, **values}))


def _compiled() -> Any:
    models = importlib.import_module("httpstan.models")
    code = PROGRAM.read_text()
    name = models.calculate_model_name(code)
    try:
        return models.import_services_extension_module(name)
    except KeyError:
        asyncio.run(models.build_services_extension_module(code))
        return models.import_services_extension_module(name)


def _data(design: Design) -> dict[str, Any]:
    table, count = design.table, design.count
    one = table[table["ID"] == table["ID"].iloc[0]]
    given, seen = one[one["EVID"] == 1], one[one["EVID"] == 0]
    days = [seen.loc[seen["DVID"].astype(str) == name, "TIME"].to_numpy(float) for name in "12"]
    starts = given["TIME"].to_numpy(float)
    times = np.unique(np.concatenate([*days, starts]))
    times = times[times > 0]
    last = np.append(np.searchsorted(times, starts[1:]) + 1, len(times))
    level, score = (stream.y.reshape(count, -1).T for stream in design.streams)
    return {
        "subjects": count, "doses": len(starts), "grid": len(times),
        "given": starts.tolist(), "times": times.tolist(),
        "first": [1, *(last[:-1] + 1).tolist()], "last": last.tolist(),
        "amount": float(given["AMT"].iloc[0]),
        "levels": len(level), "scores": len(score),
        "level_row": (np.searchsorted(times, days[0]) + 1).tolist(),
        "score_row": (np.searchsorted(times, days[1]) + 1).tolist(),
        "level": level.tolist(), "score": score.tolist(), "medians": list(MEDIANS),
    }  # fmt: skip


def _unconstrained(at: Mapping[str, Any]) -> list[float]:
    between = [f"{name}_between" for name in VARYING]
    logs = np.array([float(at[n]) for n in (*NAMES, *between, *RESIDUAL)])
    effects = np.stack([np.asarray(at[f"{name}_eta"], float) for name in VARYING])
    return [*np.log(logs).tolist(), *effects.ravel("F").tolist()]


def main() -> None:
    """Time the gradient of so many patients by a method at two tolerances."""
    patients, method, *how = sys.argv[1:]
    problem = sixty() if patients == "60" else simulated(int(patients))
    stan = by_stan(problem.likelihood.solver.design, problem.values)
    call = [method, *map(float, how)]
    taken, slope = seconds(lambda: stan.gradient(*call), TIMES), stan.gradient(*call)
    told = {"seconds": taken, "value": stan.log_density(*call), "slope": slope.tolist()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
