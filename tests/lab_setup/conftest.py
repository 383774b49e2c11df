"""A lab of the example, for all tests that do not take it down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_setup_case import Lab, lab


@pytest.fixture(scope="session")
def example() -> Iterator[Lab]:
    """It stays for the whole run."""
    with lab() as made:
        made.told("up")
        yield made
