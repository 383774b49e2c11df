"""Every right example of keepalived's tables: read, rendered and read again it is the same model,
and keepalived has no more to say of what was rendered."""

from __future__ import annotations

import re
from collections import defaultdict

import oracle
import pytest
from keepalived_case import difference, model_of, rendered
from schema.keepalived_oracle_cases import ALONE, READ_TO_THE_END, Question, sheets, written
from table_examples import examples, keywords, lines

from drctl.schema.load import load_dialect
from drctl.schema.table import version_of
from tools import need, need_root

NAMES = re.compile(r"\b[BGSTVWfgps]\d+\b|:1\d\d\d\b")


def by_block() -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = defaultdict(list)
    for path, keyword in keywords():
        found[path] += examples(path, keyword)
    for question in lines():
        found[question.path].append(question)
    return found


BLOCKS = by_block()


MANY = 60
ONE_BLOCK = {"", "global_defs"}
"""Where statements of all examples meet in one block, and a second one of a keyword says little."""


def shared(path: str) -> list[list[Question]]:
    """The examples of a table, many in one configuration."""
    found = BLOCKS[path]
    if path in ONE_BLOCK:
        return sheets(found)
    return [found[first : first + MANY] for first in range(0, len(found), MANY)]


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path or "top")
def test_examples_of_a_table_read_back_to_the_same_model(path: str) -> None:
    for sheet in shared(path):
        text = written(sheet)[0]
        model = model_of(text)
        assert difference(model, model_of(rendered(model))) == "", text


def some() -> list[Question]:
    """A case of each keyword that the measured version takes, and the lines of value blocks; those
    of inner blocks share one of a kind."""
    dialect = load_dialect("keepalived")
    version = version_of(dialect.version)
    inner: dict[str, list[str]] = defaultdict(list)
    found = []
    for path, keyword in keywords():
        is_asked = any(case.is_accepted for case in keyword.cases) and keyword.name not in ALONE
        if not is_asked or not dialect.blocks[path].knows(keyword, version):
            continue
        question = examples(path, keyword)[0]
        if "/" in question.path:
            inner[question.path].append(question.text)
        else:
            found.append(question)
    for line in lines():
        inner[line.path].append(line.text)
    return found + [Question(path, "\n".join(texts)) for path, texts in inner.items()]


def kinds(messages: tuple[str, ...]) -> set[str]:
    """What is said, whatever the names and numbers in it."""
    return {re.sub(r"\d+", "N", NAMES.sub("NAME", one)) for one in messages}


def test_keepalived_has_no_more_to_say_of_examples_that_were_rendered() -> None:
    need_root()
    program = need("keepalived", "keepalived")
    for sheet in sheets(some()):
        text = written(sheet)[0]
        before = oracle.verdict(text, program=program)
        assert before.exit in READ_TO_THE_END
        after = oracle.verdict(rendered(model_of(text)), program=program)
        assert kinds(after.messages) <= kinds(before.messages), text
        assert after.exit in READ_TO_THE_END
