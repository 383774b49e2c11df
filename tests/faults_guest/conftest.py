"""The tests of this folder run in guests (`guest_suite`)."""

from __future__ import annotations

from pathlib import Path

from guest_suite import GuestSuite, kernel

__all__ = ["kernel"]

_SUITE = GuestSuite(Path(__file__).parent)
pytest_generate_tests = _SUITE.pytest_generate_tests
pytest_collection_finish = _SUITE.pytest_collection_finish
pytest_runtest_protocol = _SUITE.pytest_runtest_protocol
pytest_sessionfinish = _SUITE.pytest_sessionfinish
