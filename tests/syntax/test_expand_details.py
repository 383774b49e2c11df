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
from drctl.syntax.expand_script import is_command, line_words, script_words, settled
from drctl.syntax.expanded import ExpandOptions, Limits, expand
from drctl.text.source import SourceFile

OLD = (2, 2, 7)


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


def test_line_that_begins_with_an_escaped_mark_is_read_by_the_parent_alone() -> None:
    found = expanded("\\! a\nb\n")
    assert texts(found.lines) == ["b"]
    assert texts(found.parent_lines) == ["! a", "b"]


def test_line_with_nul_is_dropped_by_newer_releases() -> None:
    assert texts(expanded("a b\0c\nd\n", (2, 4, 3)).lines) == ["d"]
    assert texts(expanded("a b\0c\nd\n").lines) == ["a b", "d"]


def test_condition_without_a_name_is_not_met_by_an_empty_identity() -> None:
    options = ExpandOptions(config_id="")
    found = expand(SourceFile(MAIN, "@ a\n@^ b\n@c d\n"), None, options)
    assert texts(found.lines) == ["b"]


def test_random_of_one_number_is_no_mistake() -> None:
    assert codes("a ${_RANDOM 3 3}\n") == []
    assert codes("a ${_RANDOM 4 3}\n") == ["DR126"]


def test_includes_of_the_deepest_level_are_read() -> None:
    limit = Limits().depth
    for count, expected in ((limit, []), (limit + 1, ["DR112"])):
        files = {f"{n}.inc": f"include {n + 1}.inc\n" for n in range(1, count)}
        found = expanded({MAIN: "include 1.inc\n", **files, f"{count}.inc": "a\n"})
        assert [one.code for one in found.findings] == expected


@pytest.mark.parametrize(
    ("word", "lines", "severity"),
    [("includeb", [], "error"), ("includem", ["b"], "warning"), ("include", ["b"], "warning")],
)
def test_missing_file_of_a_brace_list(word: str, lines: list[str], severity: str) -> None:
    found = expanded({MAIN: f"{word} {{b,c}}.inc\n", "b.inc": "b\n"})
    assert texts(found.lines) == lines
    assert [(one.code, one.severity) for one in found.findings] == [("DR110", severity)]


def test_lines_that_follow_an_include_in_a_definition_are_the_parents_alone() -> None:
    found = expanded({MAIN: "$M=x.inc \\\nb\ninclude $M\n", "x.inc": "a\n"})
    assert texts(found.parent_lines) == ["b", "a"]
    assert texts(found.lines) == ["a"]


def test_line_of_an_included_file_knows_the_include() -> None:
    line = expanded({MAIN: "include x.inc\n", "x.inc": "a 1\n"}).lines[0]
    assert [(step.kind, step.name) for step in line.chain] == [("include", "x.inc")]
    assert line.chain == line.word(1).chain


def test_fault_of_a_file_that_is_included_often_is_told_once() -> None:
    found = expanded({MAIN: "include x.inc\n" * 150 + 'b "c\n', "x.inc": 'a "b\n'})
    places = [(one.place.path, one.place.line) for one in found.findings]
    assert places == [("x.inc", 1), (MAIN, 151)]


def test_faults_of_one_kind_are_told_a_limited_number_of_times() -> None:
    found = expanded('a "b\n' * 150)
    assert len(found.findings) == 100
    assert "only 100 of a kind" in found.findings[-1].message


def test_sequences_in_each_other_are_counted_before_they_are_written_out() -> None:
    found = expanded("~SEQ(i,300) ~SEQ(j,300) a $i $j\n")
    assert [one.code for one in found.findings] == ["DR150"]
    assert 300 <= len(found.lines) < 1000


def test_what_generates_too_much_leaves_its_first_lines_and_so_do_later_uses() -> None:
    levels = "".join(f"$A{n}=a \\\n$A{n + 1} \\\n$A{n + 1}\n" for n in range(20))
    once = expanded(f"{levels}$A20=x\n$A0\nb\n")
    assert [one.code for one in once.findings] == ["DR150"]
    assert len(once.lines) == 51
    twice = expanded(f"{levels}$A20=x\n$A0\n$A0\nb\n")
    assert [one.code for one in twice.findings] == ["DR150"]
    assert len(twice.lines) == 101


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\\x4142", ("aB",)),
        ("a\\x4", ("a\x04",)),
        ("\\ca", ("\x01",)),
        ("\\101\\7", ("A\x07",)),
        ("'a b' \"c d\"e", ("a b", "c de")),
    ],
)
def test_escapes_of_a_script_are_those_of_keepalived(text: str, words: tuple[str, ...]) -> None:
    assert script_words(text, OLD) == words


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (r'"/t \"a b\" c"', ("/t", "a b", "c"), ("/t", '"a', 'b"', "c")),
        (r'"/t \x4142"', ("/t", "B"), ("/t", "A42")),
        (r'"/t \\x41"', ("/t", "A"), ("/t", r"\x41")),
        (r'"/t \\\\x41"', ("/t", r"\x41"), ("/t", r"\\x41")),
        (r"'/t \101'", ("/t", "A"), ("/t", "A")),
        ("'/t \"a b\"'", ("/t", "a b"), ("/t", "a b")),
    ],
)
def test_escapes_of_a_command_count_twice_before_2_3_2(
    line: str, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    for version, wanted in ((OLD, old), ((2, 3, 1), old), ((2, 3, 2), new), ((2, 4, 3), new)):
        words = line_words(f"script {line}", version)
        assert words is not None
        assert script_words(words[1], version) == wanted


@pytest.mark.parametrize("version", [OLD, (2, 3, 2)])
@pytest.mark.parametrize(
    "command", [r"/t \x4142 \x41", r"/t \cx414", r"/t \\x4142", r"/t \c\\x4142", r"'\x414' b"]
)
def test_settled_command_is_split_alike_by_all_versions(
    command: str, version: tuple[int, ...]
) -> None:
    wanted = script_words(command, version)
    again = settled(command, version)
    assert script_words(again, OLD) == script_words(again, (2, 4, 3)) == wanted


def test_regular_expression_is_split_once_in_all_versions() -> None:
    for version in (OLD, (2, 3, 2)):
        assert is_command(r'regex "a\"b"', version)
        assert not is_command(r'regex "a', version)
    assert not is_command(r'script "a\"b"', OLD)


@pytest.mark.parametrize(
    ("version", "found"), [(OLD, ["DR101"]), ((2, 3, 1), ["DR101"]), ((2, 3, 2), [])]
)
def test_odd_quote_behind_a_command_is_told_before_2_3_2_only(
    version: tuple[int, ...], found: list[str]
) -> None:
    text = 'script "/t \\"x y"\n'
    seen = expand(SourceFile(MAIN, text), options=ExpandOptions(version=version))
    assert [one.code for one in seen.findings] == found
    other = expand(SourceFile(MAIN, f"x{text}"), options=ExpandOptions(version=version))
    assert [one.code for one in other.findings] == ["DR101"]


def test_script_line_that_ends_in_the_keyword_is_told_in_all_versions() -> None:
    for version in (OLD, (2, 3, 2)):
        found = expand(SourceFile(MAIN, 'script "a\n'), options=ExpandOptions(version=version))
        assert [one.code for one in found.findings] == ["DR101"]
