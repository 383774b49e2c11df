"""Any text expands: without a crash, to words that stand where they say, in time that grows with
the text."""

from __future__ import annotations

import random
import time

import pytest
from corpus import keepalived_files
from expand_oracle import MAIN
from expand_oracle_files import expanded, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_files import MemoryFiles
from test_expand_keepalived import text_of

from drctl.syntax.expanded import Expanded, ExpandOptions, Limits, expand
from drctl.syntax.lexer import find_template_tag
from drctl.syntax.parser import parse
from drctl.syntax.tree import Document, LeafKind
from drctl.text.source import SourceFile, decode

VERSIONS = st.sampled_from([(1, 3, 5), (2, 2, 7), (2, 4, 3)])
PIECES = st.sampled_from(
    [
        *('"', "#", "!", "\\", "\\#", "{", "}", "\n", "\r\n", " ", "\t", "\0", "\f", "é", "\ufeff"),
        *("a", "b ", "$", "$A", "${A}", "$A=", "$B=$A\\\n", "$B", "@", "@lb1 ", "@^lb1 ", "~SEQ("),
        *("~SEQ(i,1,9)", "~SEQ(i,99999999999)", "~LST({i,j},{1,2},", "$i", ")", ",", "include "),
        *("k.conf\n", "b.conf\n", "*\n", "${_RANDOM 1 ", "${_ENV X}", "${_PWD}", "include_check "),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=60).map("".join)
PLAIN = st.text(alphabet='ab1 {}\n\t"', max_size=80)


def check(found: Expanded) -> None:
    """Every word stands in its file, and says the same unless something was substituted."""
    sources = {source.path: source for source in found.files}
    for line in [*found.lines[:300], *found.parent_lines[:300]]:
        for index, text in enumerate(line.words):
            word = line.word(index)
            assert word.text == text
            source = sources[word.place.path]
            assert 1 <= word.place.line <= len(source.line_starts())
            begin, end = word.place.column - 1, word.place.end_column - 1
            assert source.line(word.place.line)[begin:end] == word.raw
            if not line.is_rewritten:
                assert word.raw == (f'"{text}"' if word.is_quoted else text)
    for one in found.findings:
        source = sources[one.place.path]
        assert 1 <= one.place.line <= len(source.line_starts())
        assert one.message


@settings(max_examples=300, deadline=5000)
@given(text=TEXTS, included=TEXTS, version=VERSIONS)
def test_any_text_expands_to_words_that_stand_in_it(
    text: str, included: str, version: tuple[int, ...]
) -> None:
    files = MemoryFiles({MAIN: b"", "b.conf": included.encode(errors="ignore")})
    limits = Limits(generated_lines=500)
    options = ExpandOptions(config_id="lb1", version=version, limits=limits)
    found = expand(decode(MAIN, text.encode(errors="ignore")), files, options)
    assert len(found.lines) <= 20_000
    check(found)


@settings(max_examples=100, deadline=5000)
@given(raw=st.binary(max_size=400))
def test_any_bytes_expand(raw: bytes) -> None:
    check(expand(decode(MAIN, raw)))


def tree_words(document: Document) -> list[tuple[str, ...]]:
    """The words of each statement, braces for themselves, in the order of the text."""
    lines: list[list[str]] = []
    is_open = False
    for leaf in document.leaves():
        if leaf.kind in (LeafKind.OPEN, LeafKind.CLOSE):
            lines.append([leaf.text])
            is_open = False
        elif leaf.kind is not LeafKind.END:
            if leaf.is_first or not is_open:
                lines.append([])
            is_open = True
            lines[-1].append(leaf.value)
    return [tuple(line) for line in lines]


@settings(max_examples=300)
@given(text=PLAIN)
def test_text_without_special_signs_has_the_words_of_its_tree(text: str) -> None:
    is_template = find_template_tag(text) is not None
    if is_template or any(line.count('"') % 2 for line in text.split("\n")):
        return
    found = expand(SourceFile(MAIN, text))
    assert [line.words for line in found.lines] == tree_words(parse(found.files[0], "keepalived"))


CORPUS = keepalived_files()


@pytest.mark.skipif(not CORPUS, reason="no corpus")
def test_every_file_of_the_corpus_expands_to_words_that_stand_in_it() -> None:
    for path in CORPUS:
        found = expand(decode(str(path), path.read_bytes()))
        check(found)


@pytest.mark.skipif(not CORPUS, reason="no corpus")
def test_files_of_the_corpus_without_special_signs_have_the_words_of_their_trees() -> None:
    compared = 0
    for path in CORPUS:
        source = decode(str(path), path.read_bytes())
        document = parse(source, "keepalived")
        is_broken = any(leaf.kind is LeafKind.ERROR for leaf in document.leaves())
        if is_broken or any(sign in source.text for sign in ("$", "\\", "@", "include")):
            continue
        compared += 1
        assert [line.words for line in expand(source).lines] == tree_words(document), path
    assert compared > 100


def seconds_of(text: str) -> float:
    source = SourceFile(MAIN, text)
    best = 9.9
    for _ in range(3):
        start = time.process_time()
        expand(source)
        best = min(best, time.process_time() - start)
    return best


GROWING = {
    "plain": "real_server 192.0.2.{0} 80 {{\n weight {0}\n}}\n",
    "quotes": 'a{0} "b {0}" c # d\n',
    "definitions": "$A=x{0}\na $A ${{A}}\n",
    "definitions used": "a{0} ${{_INSTANCE}} ${{_PWD}}\n",
    "undefined": "a{0} ${{NONE}} $NONE\n",
    "sequences": "~SEQ(i,3) a{0} $i\n",
    "conditions": "@lb1 a{0}\n@^lb1 b{0}\n",
    "open quotes": 'a{0} "b\n',
    "continued": "a{0} \\\n",
    "missing includes": "include no{0}.conf\n",
    "lines of a definition": " x{0} \\\n",
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_text_takes_about_twice_the_time(name: str) -> None:
    head = "$M=a \\\n" if name == "lines of a definition" else ""
    small, large = (
        head + "".join(GROWING[name].format(n) for n in range(count)) for count in (2000, 8000)
    )
    # four times as much; quadratic would be sixteen
    assert seconds_of(large) < 9 * seconds_of(small) + 0.02


HOSTILE = {
    "sequence of a billion": "~SEQ(i,1000000000) a $i\n",
    "sequence over all numbers": f"~SEQ(i,{-(2**63)},{2**63}) a\n",
    "sequences in sequences": "~SEQ(i,999) ~SEQ(j,999) ~SEQ(k,999) a $i $j $k\n",
    "many sequences": "~SEQ(i,60000) a\n" * 10,
    "definition of itself": "$A=$A\nx $A\n" * 50,
    "definition that grows": "$A=${A}${A}b\nx ${A}\n" * 50,
    "definition that grows braces": "$A={a} $$A\nx $A\n" * 50,
    "definition of lines of itself": "$A=b \\\n$A\n$A\n" * 50,
    "definitions of lines that double": "".join(
        f"$A{n}=$A{n + 1} \\\n$A{n + 1}\n" for n in range(40)
    )
    + "$A40=x\n$A0\n",
    "definitions of nothing that double": "".join(
        f"$A{n}=${{A{n + 1}}}${{A{n + 1}}}\n" for n in range(40)
    )
    + "$A40=\nx $A0\n",
    "deep nesting": "a {\n" * 100_000,
    "braces": "{" * 100_000 + "\n",
    "one long line": "a" * 3_000_000 + "\n",
    "one long quote": '"' + "a" * 3_000_000,
    "dollars": "$" * 200_000,
    "backslashes": "\\" * 200_000,
    "quotes": '"' * 200_001,
    "escapes": "\\#" * 200_000,
    "list of many": "~LST(i" + ",x" * 100_000 + ") a $i\n",
    "conditions": "@lb1 " * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_soon_with_few_findings(name: str) -> None:
    start = time.process_time()
    found = expanded(HOSTILE[name])
    assert time.process_time() - start < 5
    assert len(found.lines) <= 600_000
    assert len(found.findings) <= 250


def test_includes_that_double_end_with_one_finding() -> None:
    contents = {f"{n}.inc": f"a\ninclude {n + 1}.inc\ninclude {n + 1}.inc\n" for n in range(1, 40)}
    found = expanded({MAIN: "include 1.inc\n", **contents, "40.inc": "z\n"})
    assert {one.code for one in found.findings} == {"DR150"}
    assert len(found.lines) <= 10_000


def test_includes_nested_without_end_are_found() -> None:
    contents = {f"{n}.inc": f"include {n + 1}.inc\n" for n in range(500)}
    found = expanded({MAIN: "include 0.inc\n", **contents})
    assert {one.code for one in found.findings} == {"DR112"}


@pytest.mark.parametrize("seed", range(60))
def test_texts_of_pieces_expand_to_words_that_stand_in_them(seed: int) -> None:
    chance = random.Random(seed)
    files = {MAIN: text_of(chance, 40), "f.conf": text_of(chance, 20), "g.conf": b"g\n"}
    options = ExpandOptions(config_id="lb1", limits=Limits(generated_lines=300))
    check(expand(decode(MAIN, files[MAIN]), MemoryFiles(files), options))


def test_lines_of_a_copied_reading_do_not_depend_on_the_first_one() -> None:
    assert texts(expanded("$A=1\nb \\#\nc $A\n$A=2\n").lines) == ["b", "c 1"]
