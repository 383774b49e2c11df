"""Where the words of the expanded view come from: place, raw text, chain."""

from __future__ import annotations

from expand_oracle import MAIN
from expand_oracle_files import expanded

from drctl.syntax.expanded import Line


def word_at(line: Line, index: int) -> tuple[str, str, str]:
    word = line.word(index)
    return word.text, word.raw, str(word.place)


def links(line: Line, index: int) -> list[tuple[str, str, str, str]]:
    return [(s.kind, s.name, s.value, str(s.place)) for s in line.word(index).chain]


def test_word_of_a_plain_line_stands_where_it_is_written() -> None:
    (line,) = expanded('\n\t a  "b c" d # e\n').lines
    assert [word_at(line, index) for index in range(3)] == [
        ("a", "a", "k.conf:2:3"),
        ("b c", '"b c"', "k.conf:2:6"),
        ("d", "d", "k.conf:2:12"),
    ]
    assert [line.word(index).is_quoted for index in range(3)] == [False, True, False]
    assert line.chain == ()
    assert not line.is_rewritten


def test_place_beyond_the_last_word_is_that_of_the_last_word() -> None:
    (line,) = expanded("a bc\n").lines
    assert str(line.place(9)) == "k.conf:1:3"
    assert str(line.place(-1)) == "k.conf:1:1"
    assert (line.whole.column, line.whole.end_column) == (1, 5)


def test_braces_of_one_line_have_places_of_their_own() -> None:
    lines = expanded("a b{ \f c}} d\n").lines
    assert [word_at(line, 0) for line in lines] == [
        ("a", "a", "k.conf:1:1"),
        ("{", "{", "k.conf:1:4"),
        ("c", "c", "k.conf:1:8"),
        ("}", "}", "k.conf:1:9"),
        ("}", "}", "k.conf:1:10"),
        ("d", "d", "k.conf:1:12"),
    ]


def test_word_of_a_definition_stands_at_its_use_and_leads_to_the_definition() -> None:
    line = expanded("$P=15\n$Q=${P}0\n  a b $Q c\n").lines[0]
    assert word_at(line, 2) == ("150", "$Q", "k.conf:3:7")
    assert links(line, 2) == [
        ("definition", "Q", "${P}0", "k.conf:2:1"),
        ("definition", "P", "15", "k.conf:1:1"),
    ]
    assert word_at(line, 3) == ("c", "c", "k.conf:3:10")
    assert links(line, 3) == []
    assert line.is_rewritten
    assert line.text == "a b 150 c"


def test_word_partly_of_a_definition_is_the_whole_word() -> None:
    (line,) = expanded("$P=15\na x${P}y\n").lines
    assert word_at(line, 1) == ("x15y", "x${P}y", "k.conf:2:3")


def test_lines_of_a_definition_stand_at_its_use() -> None:
    lines = expanded("$M=a 1 \\\n  b 2\nx\n {$M}\n${M}\n").lines
    assert [word_at(line, 1) for line in lines if len(line.words) > 1] == [
        ("1", "${M}", "k.conf:5:1"),
        ("2", "${M}", "k.conf:5:1"),
    ]
    assert {link[:2] for line in lines[-2:] for link in links(line, 1)} == {("definition", "M")}


def test_word_of_a_sequence_knows_its_step() -> None:
    lines = expanded("~SEQ(i,2) a $i {\n}\n").lines
    assert [word_at(line, 1)[1:] for line in (lines[0], lines[2])] == [("$i", "k.conf:1:13")] * 2
    assert [links(line, 1)[0][:3] for line in (lines[0], lines[2])] == [
        ("sequence", "i", "1"),
        ("sequence", "i", "2"),
    ]
    assert str(lines[1].place()) == "k.conf:1:16"


def test_word_behind_a_condition_stands_where_it_is_written() -> None:
    (line,) = expanded("@lb1   a b\n").lines
    assert word_at(line, 1) == ("b", "b", "k.conf:1:10")


def test_word_of_an_included_file_leads_through_all_includes() -> None:
    files = {MAIN: "\n include b.conf\n", "b.conf": "include c.conf\n", "c.conf": "$A=1\nx $A\n"}
    (line,) = expanded(files).lines
    assert word_at(line, 1) == ("1", "$A", "c.conf:2:3")
    assert [link[0::3] for link in links(line, 1)] == [
        ("include", "k.conf:2:2"),
        ("include", "b.conf:1:1"),
        ("definition", "c.conf:1:1"),
    ]


def test_word_of_a_line_that_is_split_stands_in_its_piece() -> None:
    first, second = expanded("a " + "b" * 1021 + "c d\n").lines
    assert (first.place(1).column, first.place(1).end_column) == (3, 1024)
    assert (second.place(0).column, second.place(1).column) == (1024, 1026)


def test_word_of_an_escaped_line_keeps_its_columns() -> None:
    found = expanded("a b\\#c d\n")
    assert word_at(found.parent_lines[0], 1) == ("b#c", "b\\#c", "k.conf:1:3")
    assert word_at(found.parent_lines[0], 2) == ("d", "d", "k.conf:1:8")
    assert word_at(found.lines[0], 1) == ("b", "b", "k.conf:1:3")


def test_places_of_a_file_with_carriage_returns_leave_them_out() -> None:
    lines = expanded("a b\r\n$A=1\r\nc $A\r\n").lines
    assert [str(line.place(1)) for line in lines] == ["k.conf:1:3", "k.conf:3:3"]
    assert [line.place(1).end_column for line in lines] == [4, 5]
