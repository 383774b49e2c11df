"""Logical lines: comments, quotes, braces, conditions, definitions, sequences, includes."""

from __future__ import annotations

import pytest
from expand_oracle import MAIN
from expand_oracle_files import expanded, texts

CASES = {
    "comment": ("a b # c\n! d\n", ["a b"]),
    "comment in a word": ("x pa#ss\nx s3cr!t\n", ["x pa", "x s3cr"]),
    "comment in double quotes": ('a "b#c" d\n', ["a b#c d"]),
    "comment in single quotes": ("a 'b#c' d\n", ["a 'b"]),
    "no comment signs": ("a // b\na ; b\n", ["a // b", "a ; b"]),
    "continued comment": ("# x \\\na\n", ["\\", "a"]),
    "continuation": ("a 51 \\\nb\n", ["a 51\\", "b"]),
    "backslash in front of blanks": ("a \\ \nb51 \\ # c\nc \\\\ \n", ["a\\", "b51\\", "c \\\\"]),
    "quoted keyword": ('"a" 1\n', ["a 1"]),
    "quote ends a word": ('a"b c"d e\n', ["a b c d e"]),
    "quote without end": ('a b "c d\ne\n', ["a b", "e"]),
    "nothing but a quote": ('"\na\n', ["a"]),
    "braces glued": ("a b{\nc{d}\n}e\n", ["a b", "{", "c", "{", "d", "}", "}", "e"]),
    "brace in double quotes": ('a "{" "b}c"\n', ["a { b}c"]),
    "brace in single quotes": ("a '{'\n", ["a '", "{", "'"]),
    "one line block": ("a { b 1 c 2 }\n", ["a", "{", "b 1 c 2", "}"]),
    "braces behind an open quote": ('a "b { c\n', ["a"]),
    "form feed": ("a\fb\vc\n", ["a b c"]),
    "no-break space": ("a\u00a0b c\n", ["a\u00a0b c"]),
    "carriage return": ("a b\r\nc\r\n", ["a b", "c"]),
    "no final line end": ("a\nb", ["a", "b"]),
    "NUL": ("a b\0c\nd\n", ["a b", "d"]),
    "byte-order mark": ("\ufeffa\n", ["\ufeffa"]),
    "condition": ("@lb1 a\n@lb2 b\n@^lb1 c\n@^lb2 d\n@LB1 e\n", ["a", "d"]),
    "condition without text": ("@lb1\n@lb1 \n", []),
    "condition without name": ("@ a\n@^ b\n", ["b"]),
    "second condition": ("@lb1 @lb1 a\n", ["@lb1 a"]),
    "condition inside a line": ("a { @lb1 b\n@lb2 }\n}\n", ["a", "{", "b", "}"]),
    "definition": ("$A=1 2\na $A\n", ["a 1 2"]),
    "definition last counts": ("$A=1\na $A\n$A=2\na $A\n", ["a 1", "a 2"]),
    "definition in braces": ('$A=1\na x${A}y "${A} z"\n', ["a x1y 1 z"]),
    "definition before a sign": ("$A=1\na $A, ($A) $A/ $A.\n", ["a 1, (1) $A/ $A."]),
    "definition at its use": ("$A=$B 1\n$B=2\na $A\n", ["a 2 1"]),
    "definition empty": ("$A=\na ${A}b\n", ["a b"]),
    "definition undefined": ("a $B\n", ["a $B"]),
    "definition undefined in braces": ("a ${B} c\n", ["a $", "{", "B", "}", "c"]),
    "definition with blank": ("$A =1\n", ["$A =1"]),
    "definition of a keyword": ("$A=a b {\n$A\nc\n}\n", ["a b", "{", "c", "}"]),
    "definition as a comment": ("a pa${_HASH}ss ${_BANG}\n", ["a pa"]),
    "definition behind a condition": ("@lb2 $A=1\n@lb1 $A=2\na $A\n", ["a 2"]),
    "definition of lines": ("$M=a { \\\n  b 1 \\\n}\n$M\nc\n", ["a", "{", "b 1", "}", "c"]),
    "definition of lines at the end": ("$M=a \\\nb\nx $M\n", ["x a", "b"]),
    "definition of lines elsewhere": ("$M=a \\\nb\n$M c\n", ["$M c"]),
    "definition of lines cut": ("$M=a \\\n\nb \\\n$M\n", ["b\\", "a"]),
    "definition of lines nested": (
        "$N=c \\\nd\n$M=a \\\n$N \\\nb\n$M\ne\n",
        ["a", "c", "d", "b", "e"],
    ),
    "definition begun by a backslash": ("$M=\\\na\n$M\n", ["a"]),
    "directory": ("a ${_PWD}/x\n", ["a /dir/x"]),
    "instance": ("a ${_INSTANCE}\n", ["a lb1"]),
    "built-in replaced": ("$_PWD=/y\na ${_PWD}\n", ["a /y"]),
    "random": ("a ${_RANDOM 3 9}\n", ["a 3"]),
    "text behind random": ("a ${_RANDOM 3 9}b c\n", ["a 3b_RANDOM 3 9", "}", "b c"]),
    "text behind random in quotes": ('a "${_RANDOM 3 9}b"\n', ["a 3b_RANDOM 3 9}b"]),
    "text behind random without limits": ("a ${_RANDOM}b\n", ["a 0b"]),
    "random with a blank at its end": ("${_RANDOM 1 }\n", ["$", "{", "_RANDOM 1", "}"]),
    "sequence": ("~SEQ(i,1,3) a $i\n", ["a 1", "a 2", "a 3"]),
    "sequence with step": ("~SEQ(i, 2, 3, 8) a $i\n", ["a 2", "a 5", "a 8"]),
    "sequence down": ("~SEQ(i,3,1) a $i\n", ["a 3", "a 2", "a 1"]),
    "sequence to zero": ("~SEQ(i,0) a $i\n", ["a 1", "a 0"]),
    "sequence below zero": ("~SEQ(i,-2) a $i\n", ["a -1", "a -2"]),
    "sequence hexadecimal": ("~SEQx(i,9,0xb) a::${i}\n", ["a::9", "a::a", "a::b"]),
    "sequence of a definition": ("$N=2\n~SEQ(i,$N) a $i\n", ["a 1", "a 2"]),
    "sequence nested": ("~SEQ(i,2) ~SEQ(j,2) a $i $j\n", ["a 1 1", "a 1 2", "a 2 1", "a 2 2"]),
    "sequence keeps the last": ("~SEQ(i,2) a\nb $i\n", ["a", "a", "b 2"]),
    "sequence of blocks": ("~SEQ(i,2) a $i { b\n}\n", ["a 1", "{", "b", "a 2", "{", "b", "}"]),
    "sequence out of a definition": ("$S=~SEQ(i,2) a $i\n$S\n", ["a 1", "a 2"]),
    "sequence in the middle": ("a ~SEQ(i,2)\n", ["a ~SEQ(i,2)"]),
    "sequence malformed": ("~SEQ(i,1,0,2) a\n~SEQ(i a\n~SEQ(i) a\n~seq(i,2) b\n", ["~seq(i,2) b"]),
    "list": ("~LST(i,x,y) a $i\n", ["a x", "a y"]),
    "list of sets": ("~LST({i, j},{1,2},{3}) a $i ${j}b\n", ["a 1 2b", "a 3 b"]),
    "list malformed": ("~LST({i,j},{1,2,3}) a\n~LST(i,x a\nb\n", ["b"]),
    "sequence that leads away": ("~SEQ(i,1,-1,3) a$i\nb\n", ["b"]),
    "sequence hexadecimal below zero": ("~SEQx(i,-2) a$i\nb\n", ["b"]),
    "sequence octal": ("~SEQ(i,010,011) a$i\n", ["a8", "a9"]),
    "sequence as long as can be": ("~SEQ(i,1" + " " * 61 + ") a$i\n", ["a1"]),
    "sequence too long": ("~SEQ(i,1" + " " * 62 + ") a$i\nb\n", ["b"]),
    "sequence of a name that is used": ("$B=0\n$S=~SEQ(B,2)\n${S} a$B\n", ["a1", "a2"]),
    "sequence among lines": ("$N=2\n$M=~SEQ(i,$N) a$i \\\nb\n$M\n", ["a1", "a2", "b"]),
    "lines of a definition in a sequence": (
        "$M=a$i \\\nb\n~SEQ(i,2) $M\n",
        ["a1", "b", "a2", "b"],
    ),
    "backslash and one line": ("$M=\\\na\nx $M\n", ["x a"]),
    "backslash and one line anywhere": ("$M=\\\na\n$M c\n", ["a c"]),
    "parameters of a definition": ("$A=1\na ${A 2}\n", ["a $", "{", "A 2", "}"]),
    "line as long as can be": (
        f"$A={'x' * 1000}\n${{A}}{'y' * 23}\n",
        ["x" * 1000 + "y" * 23],
    ),
    "line too long": (
        f"$A={'x' * 1000}\n${{A}}{'y' * 24}\n",
        ["$", "{", "A", "}", "y" * 24],
    ),
    "condition out of a definition": (
        "$C=@lb1 a\n${C} \n$LONGER=@lb1 a\n${LONGER}\n",
        ["@lb1 a", "a"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_lines_of_a_text_are_those_of_keepalived(name: str) -> None:
    text, lines = CASES[name]
    assert texts(expanded(text).lines) == lines


def test_lines_escaped_comment_differ_between_parent_and_others() -> None:
    found = expanded("a\nb x\\#y\nc \\!d\n")
    assert texts(found.parent_lines) == ["a", "b x#y", "c !d"]
    assert texts(found.lines) == ["a", "b x", "c"]


def test_lines_without_escape_are_read_once() -> None:
    found = expanded("a # b\n$A=1\nb $A\n")
    assert found.lines is found.parent_lines


def test_lines_of_includes_stand_in_their_place() -> None:
    main = "a\ninclude b.conf\nd\n"
    found = expanded({MAIN: main, "b.conf": "b {\ninclude c.conf\n", "c.conf": "}\n"})
    assert texts(found.lines) == ["a", "b", "{", "}", "d"]
    assert [line.path for line in found.lines] == [MAIN, "b.conf", "b.conf", "c.conf", MAIN]
    assert [source.path for source in found.files] == [MAIN, "b.conf", "c.conf"]


def test_lines_of_a_pattern_come_in_order_of_names() -> None:
    found = expanded({MAIN: "include *.inc\n", "2.inc": "b\n", "1.inc": "a\n", "x": "x\n"})
    assert texts(found.lines) == ["a", "b"]


def test_include_of_a_definition_and_a_condition_is_followed() -> None:
    text = "$D=b\ninclude ${D}.conf\n@lb1 include b.conf\n@lb2 include b.conf\n"
    found = expanded({MAIN: text, "b.conf": "b\n"})
    assert texts(found.parent_lines) == ["b", "b"]
    # what is no include at first sight is copied as a line too, and followed again
    assert texts(found.lines) == ["b", "b", "b"]


def test_include_with_an_unknown_letter_is_a_keyword() -> None:
    text = "includex b.conf\nINCLUDE b.conf\nincluderm b.conf\ninclude\n"
    assert texts(expanded({MAIN: text, "b.conf": "b\n"}).lines) == [
        "includex b.conf",
        "INCLUDE b.conf",
        "includerm b.conf",
        "include",
    ]


@pytest.mark.parametrize("letter", ["", "r", "m", "w", "b", "a"])
def test_include_variants_read_the_file(letter: str) -> None:
    found = expanded({MAIN: f"include{letter} b.conf\n", "b.conf": "b\n"})
    assert texts(found.lines) == ["b"]
    assert not found.findings


def test_line_of_1024_bytes_goes_on_as_another_one() -> None:
    text = "a " + "b" * 1021 + "c d\ne\n"
    assert texts(expanded(text).lines) == ["a " + "b" * 1021, "c d", "e"]
    assert texts(expanded(text, version=(2, 4, 0)).lines) == ["c d", "e"]
    exact = "a " + "b" * 1021 + "\ne\n"
    assert texts(expanded(exact).lines) == ["a " + "b" * 1021, "e"]
    assert texts(expanded(exact, version=(2, 4, 0)).lines) == ["e"]


def test_line_of_two_byte_characters_is_measured_in_bytes() -> None:
    text = "a " + "é" * 600 + "\n"
    found = texts(expanded(text).lines)
    assert len(found) == 2
    assert sum(map(len, found)) == 602


def test_continued_comment_since_2_4_0_ends_a_definition() -> None:
    text = "$M=a \\\n# x \\\nb\n$M\n# y \\\n"
    assert texts(expanded(text).lines) == ["a", "b", "\\"]
    assert texts(expanded(text, version=(2, 4, 0)).lines) == ["b", "a"]


def test_environment_since_2_4_0() -> None:
    text = "a ${_ENV HOME}x ${_ENV NONE}y\n"
    found = expanded(text, version=(2, 4, 0), environment={"HOME": "/h"})
    assert texts(found.lines) == ["a /hx y"]
    assert texts(expanded(text).lines)[0] == "a $"


def test_definition_in_a_value_is_replaced_by_every_version() -> None:
    text = "$A=$B\n$B=1\na $A\n"
    assert texts(expanded(text).lines) == texts(expanded(text, version=(2, 4, 3)).lines) == ["a 1"]
