"""Every finding that drctl has is explained, and the examples of the explanations are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from corpus import PROJECT

from drctl.cli._lint_files import Wishes, lint_file
from drctl.lint.catalog import kinds
from drctl.report.explain_code import to_json, to_text
from drctl.schema.finding import Explanation, explanation_of, explanations
from drctl.text.diagnostic import Severity

_CODE = re.compile(r'"(DR\d{3})",\s*"([a-z0-9-]+)"')
EXPLAINED = explanations()
TOLD_BY_OTHERS = {"DR032", "DR033"}
"""Findings of `drctl show` alone."""
HARD_TO_SHOW = {"DR016", "DR111", "DR123", "DR324"} | TOLD_BY_OTHERS
"""Those whose example would be very long, or needs a file that cannot be read."""


def codes_in_source() -> dict[str, set[str]]:
    """The codes that the program can give, with their names."""
    found: dict[str, set[str]] = {}
    for file in sorted((PROJECT / "drctl").rglob("*.py")):
        for code, name in _CODE.findall(file.read_text("utf-8")):
            found.setdefault(code, set()).add(name)
    return found


def lint(one: Explanation, raw: bytes, folder: Path) -> list[tuple[str, Severity]]:
    for name, text in one.files.items():
        (folder / name).write_text(text, "utf-8")
    file = folder / "example.conf"
    file.write_bytes(raw)
    outcome = lint_file(str(file), Wishes(dialect=one.dialect, config_id="lb1"))
    return [(found.code, found.severity) for found in outcome.diagnostics]


def test_codes_of_the_source_are_all_explained_by_name() -> None:
    source = codes_in_source()
    assert len(source) > 100
    assert {code: {EXPLAINED[code].name} if code in EXPLAINED else set() for code in source} == (
        source
    )


def test_explanations_are_of_codes_that_exist() -> None:
    assert EXPLAINED.keys() - codes_in_source().keys() == set()


def test_explanations_have_the_level_of_their_kind() -> None:
    levels = {code: str(kind.severity) for code, kind in kinds().items()}
    assert {code: EXPLAINED[code].level for code in levels} == levels


def test_explanations_are_sentences() -> None:
    for one in EXPLAINED.values():
        assert one.meaning.endswith("."), one.code
        assert one.why.endswith("."), one.code
        assert not one.mend.endswith("."), one.code
        assert len(one.why) > 40, one.code


def test_explanations_say_what_the_documentation_says() -> None:
    text = (PROJECT / "docs" / "lint.md").read_text("utf-8")
    rows = re.findall(r"^\| (DR\d{3}) \| ([\w-]+) \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 90
    wrong = [
        code
        for code, name, level, meaning in rows
        if (name, level, meaning)
        != (EXPLAINED[code].name, EXPLAINED[code].level, EXPLAINED[code].meaning)
    ]
    assert wrong == []


@pytest.mark.parametrize("one", EXPLAINED.values(), ids=lambda one: one.code)
def test_example_has_the_finding_and_its_mended_form_has_none(
    one: Explanation, tmp_path: Path
) -> None:
    raw = bytes.fromhex(one.hex) if one.hex else one.bad.encode()
    assert bool(raw) == (one.code not in HARD_TO_SHOW)
    if raw:
        assert one.code in {code for code, _ in lint(one, raw, tmp_path)}
    if one.bad:
        assert one.good
        found = lint(one, one.good.encode(), tmp_path)
        assert [code for code, severity in found if severity is not Severity.INFO] == []


def test_explanation_is_found_by_code_and_name_in_any_case() -> None:
    assert explanation_of("dr211") is EXPLAINED["DR211"]
    assert explanation_of("Bad-Value") is EXPLAINED["DR211"]
    assert explanation_of("DR999") is None


def test_page_of_a_code_has_the_example_and_the_way_out() -> None:
    page = to_text(EXPLAINED["DR359"], 80)
    assert page.startswith("DR359 ports-differ (warning)\n")
    assert "real_server 192.0.2.21 8080 {" in page
    assert "What to do: " in page
    assert "drctl: ignore[DR359]" in page
    assert max(map(len, page.split("\n"))) <= 80


def test_json_of_a_code_has_its_parts() -> None:
    shown = to_json(EXPLAINED["DR113"])
    assert shown["code"] == "DR113"
    assert shown["files"] == {"a.conf": "global_defs {\n}\n"}
    assert shown["bad"]
    assert shown["good"]
