"""Every example in `grammar/lvs_cf` says what pulse does with it; the emulation must agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import PROJECT

from drctl.schema.load import load_dialect, read_simple
from drctl.schema.table import Block, Case, Keyword
from drctl.schema.values import tcp_port
from drctl.syntax.pulse import MESSAGES, judge

DIALECT = load_dialect("lvs.cf")
AROUND = {"": "", "virtual": "virtual v {\n", "virtual/server": "virtual v {\nserver s {\n"}


def keywords() -> list[tuple[Block, Keyword]]:
    return [(block, k) for block in DIALECT.blocks.values() for k in block.keywords.values()]


def cases() -> list[tuple[str, Keyword, Case]]:
    return [(block.path, keyword, case) for block, keyword in keywords() for case in keyword.cases]


@pytest.mark.parametrize(
    ("path", "keyword", "case"), cases(), ids=lambda v: str(getattr(v, "text", v))[:40]
)
def test_case_of_table_judged_as_it_says(path: str, keyword: Keyword, case: Case) -> None:
    text = AROUND[path] + case.text + "\n"
    verdict = judge(text)
    assert verdict.accepts == case.is_accepted, (keyword.name, case.text, verdict)
    if case.message:
        assert verdict.message == case.message
        # the last line is the refused one
        assert verdict.line == text.count("\n")


@pytest.mark.parametrize(
    ("block", "keyword"), keywords(), ids=lambda v: v.path if isinstance(v, Block) else v.name
)
def test_keyword_of_table_has_cases_of_both_kinds(block: Block, keyword: Keyword) -> None:
    del block
    kinds = {case.is_accepted for case in keyword.cases}
    assert kinds == ({False} if keyword.removed else {True, False})


def test_messages_in_tables_are_those_of_pulse() -> None:
    told = {case.message for _, _, case in cases() if case.message}
    assert told <= {*MESSAGES, "segmentation fault"}
    assert len(told) > 8


@pytest.mark.parametrize(
    "file",
    sorted(f for f in (PROJECT / "grammar").rglob("*.toml") if f.name != "findings.toml"),
    ids=lambda f: f.name,
)
def test_quick_reading_of_table_equals_tomllib(file: Path) -> None:
    import tomllib

    text = file.read_text("utf-8").split("\n[cases", 1)[0]
    assert read_simple(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("name", "port"), [("http", 80), ("www", 80), ("https", 443), ("ms-wbt-server", 3389)]
)
def test_service_name_found_gives_its_port(name: str, port: int) -> None:
    assert tcp_port(name) == port


def test_service_name_unknown_or_in_capitals_gives_none() -> None:
    assert tcp_port("HTTP") is None
    assert tcp_port("nonsense") is None
