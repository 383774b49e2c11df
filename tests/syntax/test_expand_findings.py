"""What the lexer says of a text: the finding, its line and level."""

from __future__ import annotations

import pytest
from expand_oracle import MAIN
from expand_oracle_files import expanded
from memory_files import MemoryFiles

from drctl.syntax import expand_kind
from drctl.syntax.expanded import ExpandOptions, Unreadable, expand
from drctl.text.diagnostic import Severity
from drctl.text.source import decode

ERROR, WARNING = Severity.ERROR, Severity.WARNING

FOUND = {
    "quote without end": ('a\n b "c d\n', "2:4 DR101"),
    "escaped quote": ('a "b \\" c\n', "1:3 DR101"),
    "quote without end in a value": ('$A="x\na $A\n', "1:4 DR101 2:1 DR101"),
    "escaped comment sign": ("a b\\#c\n", "1:4 DR102"),
    "escaped comment sign in front": ("a\n \\# b\n", "2:2 DR102"),
    "comment in a word": ("auth_pass  pa#ss # x\n", "1:12 DR103"),
    "comment behind a brace": ("a {# b\n}! c\n", ""),
    "comment out of a definition": ("a pa${_HASH}ss\n", "1:1 DR103"),
    "continued comment": ("# a \\\n", "1:1 DR104"),
    "continuation": ("a b \\\n", "1:1 DR105"),
    "quote in a word": ('a 6"6"\n', "1:3 DR106"),
    "quote in a script": ('script a"b"\n', ""),
    "single quote without end in a script": ("script 'a b\n", "1:8 DR101"),
    "quote in a quoted script": ('notify "a \'b" c\n', "1:8 DR101"),
    "escape at the end of a script": ("script a\\\n", "1:8 DR101 1:1 DR105"),
    "escape behind a blank at the end of a script": (
        'script "a b" \\\n',
        "1:8 DR101 1:1 DR105",
    ),
    "escape at the end of a definition's line": ("$A= \\\nscript b \\\nuser root\n$A\n", ""),
    "single quote elsewhere": ("router_id 'a b\n", ""),
    "closed quotes in a script": ("script \"a 'b c' d\"\nnotify 'a b'\n", ""),
    "single quote in the arguments": ('script "a b" \'c\n', "1:8 DR101"),
    "escape undone twice": ('script "a \\\\"\n', "1:8 DR101"),
    "quote that an escape ends behind": ("script 'a b\\'\n", ""),
    "single quotes around a name in braces": ("$B=b\nscript 'a ${B}'\n", ""),
    "single quote without end before a name": ("$B=b\nscript 'a ${B}\n", "2:8 DR101"),
    "crash": ("\\!a\n", "1:1 DR107"),
    "missing include": ("a\ninclude  b.conf\n", "2:10 DR110"),
    "missing include by braces": ("include {b,c}\n", "1:9 DR110"),
    "no match": ("include *.x\n", ""),
    "undefined": ("a $B\n", "1:3 DR120"),
    "undefined in braces": ("a x${B}\n", "1:4 DR120"),
    "undefined in a script": ('a "$B $1 $(c)"\n', ""),
    "undefined in braces in quotes": ('a "${B}"\n', "1:4 DR120"),
    "defined but glued": ("$B=1\na $B/x\n", "2:3 DR120"),
    "blank in a definition": ("$B =1\n", "1:1 DR121"),
    "definition of itself": ("$B=$B\na $B\n", "2:1 DR122"),
    "definition of lines of itself": ("$B=a \\\n$B\n$B\n", "3:1 DR122"),
    "definitions of each other": ("$B=$C\n$C=$B\n a $B\n", "3:2 DR122"),
    "definition that grows": ("$B=${B}y\na $B\n", "2:1 DR122"),
    "definition too long": (f"$B={'y' * 600}\na $B $B\n", "2:1 DR123"),
    "lines in the middle": ("$B=a \\\nb\nc $B d\n", "3:1 DR124"),
    "cut definition": ("$B=a \\\n\nb\n", "1:1 DR125"),
    "cut by a comment": ("$B=a \\\n# c\nb\n", "1:1 DR125"),
    "random backwards": ("a ${_RANDOM 9 1}\n", "1:1 DR126"),
    "text behind random": ("a ${_RANDOM 1 9}b\n", "1:1 DR128"),
    "random at the end": ("a ${_RANDOM 1 9}\n", ""),
    "random with a word": ("a ${_RANDOM b}\n", "1:3 DR120"),
    "sequence behind a word": ("a 192.0.2.~SEQ(i,2)\n", "1:11 DR131"),
    "list behind a word": ("a ~LST (i,2)\n", "1:3 DR131"),
    "sequence in small letters": ("~seq(i,2) a $i\n", "1:1 DR131 1:13 DR120"),
    "sequence in quotes": ('a "~SEQ(i,2)"\n', ""),
    "sequence without a name": ("~SEQ(1,3) a\n", "1:1 DR131"),
    "list without a name": ("~LST(1,3) a\n", "1:1 DR131"),
    "sequence of nothing": ("~SEQ(i,3)\n", "1:1 DR131"),
    "sequence without a number": ("~SEQ(i,) a $i\n", "1:1 DR131"),
    "sequence of the same": ("~SEQ(i,3) a\n", "1:1 DR131"),
    "sequence of the beginning of a block": ("~SEQ(i,2) a $i {\nb\n}\n", "1:1 DR131"),
    "sequence of a block": ('~SEQ(i,2) a ${i} { b "{" }\n', ""),
    "sequence behind a sequence": ("~SEQ(i,2) ~LST(j,3) a $i$j\n", "1:23 DR120"),
    "condition out of a definition": ("$B=@lb1 a\n$B\n", "2:1 DR127"),
    "sequence with a step of 0": ("a\n~SEQ(i,1,0,2) b\n", "2:1 DR130"),
    "sequence without end": ("~SEQ(i,2 b\n", "1:1 DR130"),
    "list with too many": ("~LST({i},{1,2}) b\n", "1:1 DR130"),
    "combined condition": ("@a|b c\n@(a&b) c\n", "1:1 DR140 2:1 DR140"),
    "condition without text": ("@lb1\n", "1:1 DR140"),
    "condition without name": ("@^ a\n", "1:1 DR140"),
    "two conditions": ("@lb1 @lb2 a\n", "1:1 DR140"),
    "sound": ('# x\na "b#c" {\n$D=1\n@lb2 e $D\n~SEQ(i,2) f$i\n}\n', ""),
}


@pytest.mark.parametrize("name", FOUND)
def test_finding_of_a_text_is_at_its_cause(name: str) -> None:
    text, wanted = FOUND[name]
    found = expanded(text).findings
    said = " ".join(f"{one.place.line}:{one.place.column} {one.code}" for one in found)
    assert said == wanted


def test_kinds_have_one_code_and_one_name_each() -> None:
    kinds = [one for one in vars(expand_kind).values() if isinstance(one, expand_kind.Kind)]
    assert len({one.code for one in kinds}) == len({one.name for one in kinds}) == len(kinds)
    assert all("DR100" < one.code < "DR200" for one in kinds)


def test_finding_of_an_included_file_names_that_file() -> None:
    found = expanded({MAIN: "include b.conf\n", "b.conf": 'a\nb "c\n'}).findings
    assert [(one.place.path, one.place.line) for one in found] == [("b.conf", 2)]


def test_finding_of_a_definition_relates_to_where_it_is_defined() -> None:
    (found,) = expanded("$B=$B\na $B\n").findings
    assert [str(related.place) for related in found.related] == ["k.conf:1:1"]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        *(("include", WARNING), ("includer", WARNING), ("includem", ERROR), ("includew", ERROR)),
        *(("includeb", WARNING), ("includea", ERROR)),
    ],
)
def test_missing_file_is_an_error_only_when_the_include_insists(
    word: str, severity: Severity
) -> None:
    (found,) = expanded(f"{word} b.conf\n").findings
    assert found.severity is severity


def test_include_check_makes_later_includes_insist_in_its_file() -> None:
    main = "include a.conf\ninclude no.conf\ninclude_check\ninclude no2.conf\n"
    found = expanded({MAIN: main, "a.conf": "include_check\ninclude no3.conf\n"}).findings
    assert [(one.place.path, one.place.line, one.severity) for one in found] == [
        ("a.conf", 2, ERROR),
        (MAIN, 2, WARNING),
        (MAIN, 4, ERROR),
    ]


@pytest.mark.parametrize(
    ("reason", "word", "code", "severity"),
    [
        (Unreadable("it is executable"), "include", "DR111", WARNING),
        (Unreadable("it is executable"), "includer", "DR111", ERROR),
        (Unreadable("larger than 64 MiB", is_skipped=False), "include", "DR150", ERROR),
    ],
)
def test_file_that_is_not_read_is_told(
    reason: Unreadable, word: str, code: str, severity: Severity
) -> None:
    main = f"{word} b.conf\n".encode()
    files = MemoryFiles({MAIN: main, "b.conf": reason})
    (found,) = expand(decode(MAIN, main), files, ExpandOptions()).findings
    assert (found.code, found.severity) == (code, severity)
    assert reason.reason in found.message


def test_include_of_itself_is_an_error_and_read_once() -> None:
    found = expanded({MAIN: "a\ninclude b.conf\n", "b.conf": "b\ninclude k.conf\n"})
    assert [one.code for one in found.findings] == ["DR112"]
    assert [line.words for line in found.lines] == [("a",), ("b",)]


def test_include_behind_something_is_read_twice() -> None:
    main = "a { include b.conf\n}\n@lb1 include b.conf\n"
    found = expanded({MAIN: main, "b.conf": "b\n"})
    assert [(one.place.line, one.code) for one in found.findings] == [(1, "DR113"), (3, "DR113")]


def test_conditions_are_listed_with_what_became_of_them() -> None:
    found = expanded("@lb1 a\n@^lb1 b\n@lb9 c\n").conditions
    assert [(one.name, one.is_negated, one.is_met, one.place.line) for one in found] == [
        ("lb1", False, True, 1),
        ("lb1", True, False, 2),
        ("lb9", False, False, 3),
    ]


def test_host_name_up_to_its_dot_decides_conditions_without_an_id() -> None:
    source = decode(MAIN, b"@lb1 a\n@lb1.example b\n")
    found = expand(source, None, ExpandOptions(host_name="lb1.example"))
    assert [line.words for line in found.lines] == [("a",)]


def test_findings_of_a_kind_are_limited() -> None:
    found = expanded('a "b\n' * 500).findings
    assert len(found) == expand_kind.MOST_FINDINGS
    assert "only 100 of a kind" in found[-1].message


NEWER = {
    "condition of a definition before 2.2.8": ("2.2.7", "$B=@lb1 a\n$B\n", "2:1 DR127"),
    "condition of a definition since 2.2.8": ("2.2.8", "$B=@lb1 a\n$B\n", ""),
    "condition of a definition since 2.4.0": ("2.4.0", "$B=@lb1 a\n$B\n", "2:1 DR127"),
    "text behind random since 2.4.0": ("2.4.0", "a ${_RANDOM 1 9}b\n", ""),
    "environment without name": ("2.4.0", "a ${_ENV}\n", "1:1 DR126"),
    "environment with two names": ("2.4.0", "a ${_ENV B C}\n", "1:1 DR126"),
    "environment with a blank": ("2.4.0", "a ${_ENV B }\n", "1:3 DR120"),
}


@pytest.mark.parametrize("name", NEWER)
def test_finding_of_a_text_depends_on_the_version(name: str) -> None:
    version, text, wanted = NEWER[name]
    found = expanded(text, version=tuple(map(int, version.split(".")))).findings
    assert " ".join(f"{one.place.line}:{one.place.column} {one.code}" for one in found) == wanted
