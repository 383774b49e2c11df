"""Each fault is found by `check` where the host can see it and by `verify` where the wire shows it,
with its cause; its healthy twin, which differs in that one point, raises nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from corpus import PROJECT
from fault_lab import METHODS, Lab, Scene, lab
from fault_table import DISPUTE, FAULTS, HOLE, SILENT, Fault, as_markdown

from drctl.verify.value import Passage, Result, Verdict
from tools import need

HEADING = "## What has been tried"
IS_FULL = os.environ.get("DRCTL_FULL", "") not in {"", "0"}
CASES = [
    pytest.param(
        fault,
        method,
        id=f"{fault.name}-{method}",
        marks=[] if IS_FULL or number == 0 else pytest.mark.skip("runs with DRCTL_FULL=1"),
    )
    for fault in FAULTS
    for number, method in enumerate(fault.methods)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    for tool, package in (
        ("nft", "nftables"),
        ("arptables", "arptables"),
        ("iptables", "iptables"),
    ):
        need(tool, package)
    with lab(tmp_path_factory.mktemp("faults")) as made:
        yield made


def wrong(result: Result) -> list[str]:
    """All that verify has to say against it."""
    found = [f"{one.vip} {one.verdict}: {one.cause}" for one in result.findings]
    bad = [
        line
        for line, one in zip(found, result.findings, strict=True)
        if one.verdict is not Verdict.OK
    ]
    bad += [
        f"{one.vip} {one.real_server} {one.verdict}: {one.cause}"
        for one in result.through
        if one.verdict is not Passage.OK
    ]
    return [*bad, *result.notes]


def assert_clean(scene: Scene, at: str, listen_s: float) -> None:
    assert scene.check() == []
    assert wrong(scene.verify(at, listen_s)) == []


@pytest.mark.parametrize("method", METHODS)
def test_method_applied_is_clean(place: Lab, method: str) -> None:
    with place.scene(method) as scene:
        assert_clean(scene, "mon", 0.0)
    place.proved.add(method)


@pytest.mark.parametrize(("fault", "method"), CASES)
def test_fault_is_found_with_its_cause(place: Lab, fault: Fault, method: str) -> None:
    with place.scene(method) as scene:
        if fault.prepare is not None:
            fault.prepare(scene)
        if fault.prepare is not None or IS_FULL or method not in place.proved:
            assert_clean(scene, fault.at, fault.listen_s)
        fault.inject(scene)
        told, result = scene.check(), scene.verify(fault.at, fault.listen_s)
    assert_told(fault, told)
    assert_found(fault, result)


def assert_told(fault: Fault, told: list[str]) -> None:
    if not fault.check:
        assert told == []
    else:
        assert any(fault.check in line for line in told), "\n".join(told)


def assert_found(fault: Fault, result: Result) -> None:
    said = "\n".join(wrong(result))
    if fault.verdict == SILENT:
        assert said == ""
    elif fault.verdict == DISPUTE:
        assert any(fault.cause in note for note in result.notes), said
    elif fault.verdict == HOLE:
        holes = [one for one in result.through if one.verdict is Passage.BLACK_HOLE]
        mine = [one.cause for one in holes if one.vip == fault.vip]
        assert mine, said
        assert all(fault.cause in cause for cause in mine), said
        assert all(one.verdict is Verdict.OK for one in result.findings), said
    else:
        [finding] = [one for one in result.findings if one.vip == fault.vip]
        assert finding.verdict.value == fault.verdict, said
        assert fault.cause in finding.cause, said


def test_faults_are_those_that_the_documentation_lists() -> None:
    text = (PROJECT / "docs" / "verify.md").read_text("utf-8")
    shown = [line for line in text.partition(HEADING)[2].splitlines() if line.startswith("|")]
    assert shown == as_markdown()
    assert len(FAULTS) >= 25
    assert {method for fault in FAULTS for method in fault.methods} == set(METHODS)
