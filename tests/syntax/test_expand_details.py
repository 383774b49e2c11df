"""Details of the expansion that no other test would miss."""

from __future__ import annotations

import pytest
from expand_oracle import MAIN
from expand_oracle_files import expanded, texts

from drctl.syntax.expand_include import (
    BRACES,
    EVERYTHING,
    MATCH,
    READABLE,
    WILDCARD,
    checked,
    expand_braces,
    include_of,
)


def codes(text: str) -> list[str]:
    return [one.code for one in expanded(text).findings]


def test_escape_inside_of_quotes_is_no_escape() -> None:
    assert texts(expanded('a "b\\#c" d\n').lines) == ["a b\\#c d"]


def test_line_that_ends_in_two_backslashes_is_not_continued() -> None:
    assert codes("a b\\\n") == ["DR105"]
    assert codes("a b\\\\\n") == []


def test_line_in_front_of_a_comment_ends_at_its_last_word() -> None:
    assert expanded("a  b  # c\n").lines[0].text == "a  b"
    found = expanded({MAIN: "include x.inc  # c\n", "x.inc": "a\n"})
    assert texts(found.lines) == ["a"]
    assert found.findings == ()


@pytest.mark.parametrize(
    ("word", "demands"),
    [
        ("include", 0),
        ("includer", READABLE),
        ("includem", READABLE | MATCH),
        ("includew", READABLE | MATCH | WILDCARD),
        ("includeb", READABLE | BRACES),
        ("includea", EVERYTHING),
    ],
)
def test_include_insists_on_what_its_letter_says(word: str, demands: int) -> None:
    found = include_of(f"{word} x")
    assert found is not None
    assert found.demands == demands


@pytest.mark.parametrize(
    ("before", "words", "after"),
    [
        (0, "", EVERYTHING),
        (MATCH, "read", READABLE),
        (MATCH, "match", READABLE | MATCH),
        (0, "match read", READABLE | MATCH),
        (0, "match wildcard_match", READABLE | MATCH),
        (READABLE, "+match +brace_match", READABLE | MATCH | BRACES),
        (EVERYTHING, "-match -wildcard_match", READABLE | BRACES),
        (EVERYTHING, "nonsense", 0),
        (MATCH, "+nonsense", MATCH),
    ],
)
def test_include_check_changes_the_demands(before: int, words: str, after: int) -> None:
    assert checked(before, tuple(words.split())) == after


@pytest.mark.parametrize(
    ("pattern", "patterns"),
    [
        ("a", ("a",)),
        ("a{b,c}d", ("abd", "acd")),
        ("a{b}c", ("abc",)),
        ("a{}b", ("a{}b",)),
        ("{}{a,b}", ("{}a", "{}b")),
        ("{a,{b,c}d}", ("a", "bd", "cd")),
        ("a{b", ("a{b",)),
        ("a}b", ("a}b",)),
        ("{a,b}{c,d}", ("ac", "ad", "bc", "bd")),
    ],
)
def test_brace_list_is_tried_in_order(pattern: str, patterns: tuple[str, ...]) -> None:
    assert expand_braces(pattern) == patterns
