"""The original parser's verdicts on real files, against the emulation's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from corpus import corpus_dir, piranha_files, piranha_verdicts

from drctl.syntax.pulse import judge, refusals

needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus of real configurations")
VERDICTS = piranha_verdicts()
_REJECTED = re.compile(r"rejects, line (\d+): (.*)")


@needs_corpus
@pytest.mark.parametrize("file", piranha_files(), ids=lambda f: f.name)
def test_verdict_on_real_file_equals_original(file: Path) -> None:
    told = re.sub(r"^\[.*?\]\s*|\s*\[.*?\]$|^\(.*?\)\s*", "", VERDICTS[file.name])
    verdict = judge(file.read_bytes())
    if told == "accepts":
        assert (verdict.accepts, verdict.line, verdict.message) == (True, None, None)
        return
    rejected = _REJECTED.fullmatch(re.sub(r"^.*?(?=rejects,)", "", told))
    assert rejected is not None, told
    assert (verdict.accepts, verdict.line, verdict.message) == (
        False,
        int(rejected[1]),
        rejected[2],
    )


@needs_corpus
@pytest.mark.parametrize("file", piranha_files(), ids=lambda f: f.name)
def test_first_refused_line_of_real_file_is_that_of_the_verdict(file: Path) -> None:
    raw = file.read_bytes()
    verdict, refused = judge(raw), refusals(raw)
    assert bool(refused) != verdict.accepts
    if refused:
        assert (refused[0].line, refused[0].message) == (verdict.line, verdict.message)


@needs_corpus
def test_corpus_is_whole() -> None:
    assert len(piranha_files()) == len(VERDICTS) >= 20
    assert {"accepts"} < set(VERDICTS.values())
