"""Every file of the corpus, rendered: keepalived takes it, and reading it gives the same model."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import oracle
import pytest
from corpus import corpus_dir, keepalived_files, piranha_files
from keepalived_case import as_keepalived_says, difference, lowered, model_of, rendered

from drctl.cli.common import read_configuration
from drctl.convert.ledger import Ledger
from drctl.convert.peer import derive_peer
from drctl.model.configuration import Configuration
from drctl.render.keepalived import keepalived_file
from drctl.render.options import RenderOptions
from tools import need, need_root

PIRANHA = piranha_files()
KEEPALIVED = keepalived_files()
NO_CORPUS = "no corpus: $DRCTL_CORPUS or ../shared/corpus"
BROKEN = ("Unknown keyword", "Unexpected '{'", "missing '}'", "Extra '}'", "extra parameters")
"""What keepalived says of broken structure, which hides what stands behind it."""


def _model(path: Path) -> Configuration:
    return read_configuration(str(path), "keepalived").configuration


@cache
def _verdicts() -> dict[str, oracle.Verdict]:
    """keepalived 2.2.7 on the sources that stand alone, by file name."""
    folder = corpus_dir()
    assert folder is not None, "only asked for files of the corpus"
    exits: dict[str, int] = {}
    messages: dict[str, dict[str, None]] = {}
    with (folder / "keepalived" / "VERDICTS.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row["exit"].lstrip("-").isdigit():
                continue
            exits[row["file"]] = int(row["exit"])
            said = messages.setdefault(row["file"], {})
            if row["message"]:
                said[oracle.without_place(row["message"])] = None
    return {name: oracle.Verdict(code, tuple(messages[name])) for name, code in exits.items()}


def _name(path: Path) -> str:
    """What a file is called in the corpus' tables: with its folder when it is of a tree."""
    folder = corpus_dir()
    assert folder is not None, "only asked for files of the corpus"
    return path.relative_to(folder / "keepalived").as_posix()


def _is_broken(verdict: oracle.Verdict) -> bool:
    return any(mark in message for message in verdict.messages for mark in BROKEN)


@pytest.mark.skipif(not PIRANHA, reason=NO_CORPUS)
@pytest.mark.parametrize("path", PIRANHA, ids=lambda path: path.name)
def test_keepalived_file_of_lvs_cf_is_taken_without_a_word(path: Path) -> None:
    need_root()
    program = need("keepalived", "keepalived")
    for configuration in lowered(path):
        assert oracle.verdict(rendered(configuration), program=program) == oracle.Verdict(0, ())


@pytest.mark.skipif(not PIRANHA, reason=NO_CORPUS)
@pytest.mark.parametrize("path", PIRANHA, ids=lambda path: path.name)
def test_keepalived_file_of_lvs_cf_reads_back_to_what_was_lowered(path: Path) -> None:
    for configuration in lowered(path):
        again = replace(model_of(rendered(configuration)), rank=None)
        assert difference(as_keepalived_says(configuration), again) == ""


@pytest.mark.skipif(not KEEPALIVED, reason=NO_CORPUS)
@pytest.mark.parametrize("path", KEEPALIVED, ids=lambda path: path.name)
def test_keepalived_file_of_keepalived_conf_reads_back_to_the_same_model(path: Path) -> None:
    model = _model(path)
    text = rendered(model)
    assert difference(model, model_of(text)) == ""
    assert rendered(model_of(text)) == text


@pytest.mark.skipif(not KEEPALIVED, reason=NO_CORPUS)
@pytest.mark.parametrize("path", KEEPALIVED, ids=lambda path: path.name)
def test_keepalived_file_lines_name_statements_of_the_source(path: Path) -> None:
    reading = read_configuration(str(path), "keepalived")
    file, _ = keepalived_file(reading.configuration, RenderOptions(path.name))
    starts = {document.place(one)[:3] for document in reading.documents for one in document.walk()}
    lines = file.text.split("\n")
    source = path.read_text("utf-8", "replace").split("\n")
    for number, places in file.origins.items():
        assert lines[number - 1].strip(), f"line {number} is empty and has origins"
        for name, line, column in {place[:3] for place in places} - starts:
            # to keepalived a brace is a line of its own, and may stand where a word is expected
            assert source[line - 1][column - 1] == "{", (name, line, column)


@pytest.mark.skipif(not KEEPALIVED, reason=NO_CORPUS)
@pytest.mark.parametrize("path", KEEPALIVED, ids=lambda path: path.name)
def test_keepalived_file_of_keepalived_conf_is_judged_no_worse_than_its_source(path: Path) -> None:
    """Where keepalived understands the source's structure, no kind of message is new and a file
    that was taken without a word still is; else fewer words remain unknown, not more."""
    need_root()
    program = need("keepalived", "keepalived")
    before = _verdicts().get(_name(path)) or oracle.verdict(path.read_bytes(), program=program)
    after = oracle.verdict(rendered(_model(path)), program=program)
    if _is_broken(before):
        assert _count_broken(after) <= _count_broken(before)
    else:
        assert oracle.kinds(after.messages) <= oracle.kinds(before.messages)
        assert before.exit != 0 or after.exit == 0


def _count_broken(verdict: oracle.Verdict) -> int:
    return sum(any(mark in message for mark in BROKEN) for message in verdict.messages)


PAIRED = [path for path in KEEPALIVED if _model(path).instances]


@pytest.mark.skipif(not PAIRED, reason=NO_CORPUS)
@pytest.mark.parametrize("path", PAIRED, ids=lambda path: path.name)
def test_peer_of_keepalived_conf_outranks_or_yields_everywhere(path: Path) -> None:
    given = _model(path)
    peer = derive_peer(given, Ledger())
    assert peer.rank is not None
    for ours, theirs in zip(given.instances, peer.instances, strict=True):
        assert ours.virtual_router_id == theirs.virtual_router_id
        assert [vip.address for vip in ours.vips] == [vip.address for vip in theirs.vips]
        assert not (ours.state == theirs.state == "MASTER")
        if ours.priority is not None and theirs.priority is not None:
            is_unread = any(one.text.startswith("priority") for one in ours.leftovers)
            assert is_unread or ours.priority != theirs.priority
