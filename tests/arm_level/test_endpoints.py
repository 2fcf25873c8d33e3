"""What a visit contributes: closed forms against quadrature over the visit's noise."""

from __future__ import annotations

import numpy as np
import pytest
from written_out import Noise, coefficients, product

from pkpd.arm_level import endpoints, selection

VALUES = {"iga_sd": 0.4, "iga_easi": 2.5, "leakage": 0.3}
SD = np.array([0.35, 0.6])
RATIO = np.array([[[0.05, 0.2, 0.9], [0.3, 0.02, 0.5]]])
EASI = np.array([[[20.0, 33.0, 50.0]]])
CHANGE = np.array([[-0.55, -0.7]])
COLUMNS = (*endpoints.COLUMNS, "ENTRY")


@pytest.fixture(scope="module")
def visit():
    return endpoints.visit(VALUES, SD[:, None], RATIO, EASI)


@pytest.fixture(scope="module")
def noises():
    return [
        [Noise(VALUES, ratio, sd, easi, 2.5) for ratio, easi in zip(row, EASI[0, 0], strict=True)]
        for row, sd in zip(RATIO[0], SD, strict=True)
    ]


@pytest.fixture(scope="module")
def tilted():
    """The same with the noise centred at 0.7 at the first visit and -0.4 at the second."""
    return [
        [Noise(VALUES, r, sd, easi, 2.5, c) for r, easi in zip(row, EASI[0, 0], strict=True)]
        for row, sd, c in zip(RATIO[0], SD, (0.7, -0.4), strict=True)
    ]


def over(noises, make):
    """make(noise, change) of every visit and patient, shape (1, 2, 3)."""
    return np.array(
        [[[make(n, change) for n in row] for row, change in zip(noises, CHANGE[0], strict=True)]]
    )


@pytest.mark.parametrize("column", range(len(endpoints.COLUMNS)), ids=endpoints.COLUMNS)
def test_means_and_hermite_coefficients_are_quadratures(visit, noises, column):
    found = [endpoints.means(visit, CHANGE), *endpoints.hermite(visit)]
    for k, order in enumerate(found):
        wanted = over(noises, lambda n, c, k=k: coefficients(n, COLUMNS[column], c)[k])
        np.testing.assert_allclose(order[column], wanted, atol=1e-7)


def test_a_patients_mean_is_its_course(visit):
    np.testing.assert_allclose(visit.seen, RATIO, rtol=1e-12)


def test_joint_moments_at_one_visit_are_quadratures(visit, noises):
    table = endpoints.joint(visit, CHANGE)
    for j, row in enumerate(table):
        for k, cell in enumerate(row):
            pair = COLUMNS[j], COLUMNS[j + k]
            wanted = over(noises, lambda n, c, pair=pair: product(n, *pair, c))
            np.testing.assert_allclose(cell, wanted, atol=2e-6, err_msg=str(pair))


def test_the_probability_of_entry_is_a_quadrature_whatever_the_tilt(visit, noises, tilted):
    def entry(noise, change):
        return noise.mean(noise.entry)

    np.testing.assert_allclose(selection.entering(VALUES, visit), over(noises, entry), atol=3e-6)
    shift = np.array([[[0.7], [-0.4]]])
    found = selection.entering(VALUES, visit, shift)
    np.testing.assert_allclose(found, over(tilted, entry), atol=3e-6)


def test_entry_moments_with_every_statistic_are_quadratures(visit, noises):
    found = selection.entry_joint(VALUES, visit, CHANGE)
    for name, cell in zip(COLUMNS, found, strict=True):
        wanted = over(noises, lambda n, c, name=name: product(n, name, "ENTRY", c))
        np.testing.assert_allclose(cell, wanted, atol=5e-6, err_msg=name)
    slope = over(noises, lambda n, c: coefficients(n, "ENTRY", c)[1])
    np.testing.assert_allclose(selection.entry_slope(VALUES, visit), slope, atol=1e-6)
