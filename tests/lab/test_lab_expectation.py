"""How requests must be spread, by scheduler."""

from __future__ import annotations

import pytest
from lab_case import flow

from drctl.lab.expectation import expectation_text, spread_problem


@pytest.mark.parametrize(
    ("scheduler", "weights", "served"),
    [
        ("rr", {"a": 1, "b": 1}, {"a": 4, "b": 4}),
        ("rr", {"a": 9, "b": 1}, {"a": 4, "b": 4}),
        ("lc", {"a": 1, "b": 1}, {"a": 5, "b": 3}),
        ("wrr", {"a": 3, "b": 1}, {"a": 6, "b": 2}),
        ("wlc", {"a": 3, "b": 1}, {"a": 7, "b": 1}),
        ("wlc", {"a": 1, "b": 0}, {"a": 8}),
        ("sh", {"a": 1, "b": 1}, {"b": 8}),
        ("fo", {"a": 2, "b": 1}, {"a": 8}),
        ("lblcr", {"a": 1, "b": 1}, {"a": 8}),
    ],
)
def test_spread_as_the_scheduler_does_is_no_problem(
    scheduler: str, weights: dict[str, int], served: dict[str, int]
) -> None:
    assert spread_problem(flow(scheduler, weights), served) is None


@pytest.mark.parametrize(
    ("scheduler", "weights", "served"),
    [
        ("rr", {"a": 1, "b": 1}, {"a": 8}),
        ("rr", {"a": 1, "b": 1}, {"a": 5, "b": 3}),
        ("lc", {"a": 1, "b": 1}, {"a": 8}),
        ("wrr", {"a": 3, "b": 1}, {"a": 4, "b": 4}),
        ("wlc", {"a": 3, "b": 1}, {"a": 2, "b": 6}),
        ("wlc", {"a": 1, "b": 0}, {"a": 4, "b": 4}),
        ("sh", {"a": 1, "b": 1}, {"a": 4, "b": 4}),
        ("fo", {"a": 2, "b": 1}, {"a": 4, "b": 4}),
        ("rr", {"a": 1, "b": 1}, {}),
        ("lblcr", {"a": 1}, {"stranger": 8}),
    ],
)
def test_spread_of_another_kind_is_a_problem(
    scheduler: str, weights: dict[str, int], served: dict[str, int]
) -> None:
    assert spread_problem(flow(scheduler, weights), served) is not None


def test_spread_of_a_persistent_service_is_one_server() -> None:
    persistent = flow("rr", is_persistent=True)
    assert spread_problem(persistent, {"web2": 8}) is None
    assert spread_problem(persistent, {"web1": 4, "web2": 4}) is not None


def test_expectation_names_the_scheduler() -> None:
    assert expectation_text(flow("wrr")) == "wrr: by weight"
    assert expectation_text(flow("rr", is_persistent=True)).startswith("persistent")
