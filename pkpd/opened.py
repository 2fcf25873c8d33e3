"""A fit opened again: the likelihood its draws were made under, and the draws."""

from __future__ import annotations

from pathlib import Path

from pkpd.arm_level.problem import Likelihood
from pkpd.errors import DataError, Fault
from pkpd.fit_folder import open_fit, sampled_likelihood
from pkpd.individual_folder import individual_provenance, open_individual
from pkpd.joint_folder import joint_hashes, open_joint
from pkpd.posterior import Posterior, load_posterior
from pkpd.provenance import provenance
from pkpd.settings_individual import is_individual
from pkpd.settings_joint import is_joint


def draws_path(folder: Path, model: str | None = None) -> Path:
    """Where the draws of a fit stand, or those of a model it is compared with."""
    return folder / (f"draws-{model}.nc" if model else "draws.nc")


def opened(folder: Path, model: str | None = None) -> tuple[Likelihood, Posterior]:
    """The likelihood, on the mesh it was sampled on, and its posterior.

    Raises
    ------
    FileFormatError
        If there are no draws, or they are of another format.
    DataError
        If settings, data or a model changed since they were made.
    """
    problem = open_fit(folder)
    posterior = load_posterior(draws_path(folder, model))
    if model:
        problem = problem.with_model(model)
    now = provenance(problem)["hashes"] if model else hashes(folder)
    if posterior.provenance["hashes"] != now:
        raise DataError(
            [
                Fault(
                    str(folder),
                    "fit.toml, the data or a model changed since the draws were made",
                    f"Run `pkpd fit {folder}` again",
                )
            ]
        )
    return sampled_likelihood(problem, posterior), posterior


def hashes(folder: Path) -> dict[str, str]:
    """Hashes of the settings, data and models that a fit has now."""
    if is_individual(folder / "fit.toml"):
        return individual_provenance(open_individual(folder))["hashes"]
    if is_joint(folder / "fit.toml"):
        return joint_hashes(open_joint(folder))
    return provenance(open_fit(folder))["hashes"]
