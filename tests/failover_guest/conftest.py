"""The tests of this folder run in guests (`guest_suite`), most of them with the same directors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from device_case import Devices, devices
from guest_suite import GuestSuite, kernel

__all__ = ["kernel"]

_SUITE = GuestSuite(Path(__file__).parent)
pytest_generate_tests = _SUITE.pytest_generate_tests
pytest_collection_finish = _SUITE.pytest_collection_finish
pytest_runtest_protocol = _SUITE.pytest_runtest_protocol
pytest_sessionfinish = _SUITE.pytest_sessionfinish


@pytest.fixture(scope="session")
def pair(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """One pair for all tests: starting it takes longer than most of them."""
    with devices(tmp_path_factory.mktemp("pair"), kernel) as built:
        yield built


@pytest.fixture
def live(pair: Devices) -> Devices:
    """The pair, the first director active on every device, as nothing had happened."""
    pair.all_on(pair.directors["lb1"])
    return pair
