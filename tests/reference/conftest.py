"""Reference fits by name, each sampled once a session."""

from __future__ import annotations

from functools import cache

import pytest
from published import fitted
from references import REFERENCES


@pytest.fixture(scope="session")
def posterior():
    """A function: name of a reference -> its posterior."""
    return cache(lambda name: fitted(REFERENCES[name]))
