"""What the tables say about their keywords is complete, in sentences, and of each its own."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import corpus_dir

from drctl.lint.engine import check_source
from drctl.report.explain_keyword import example, to_text
from drctl.resources import resource_path
from drctl.schema.composite import judge
from drctl.schema.load import load_dialect
from drctl.schema.lookup import ENTRY, Found, find, neighbours, own_paths
from drctl.schema.table import Keyword
from drctl.text.source import decode

DIALECTS = (load_dialect("keepalived"), load_dialect("lvs.cf"))
KEEPALIVED = DIALECTS[0]
NEWEST = (9, 0, 0)
_MARKED = re.compile(r"`([^`]*)`")
_NO_KEYWORDS = {"${_RANDOM}"}


def all_keywords() -> Iterator[Found]:
    """Each keyword of each table once, with the blocks that have it."""
    for dialect in DIALECTS:
        paths: defaultdict[int, list[str]] = defaultdict(list)
        keywords: dict[int, Keyword] = {}
        for path in own_paths(dialect):
            for keyword in dialect.blocks[path].keywords.values():
                keywords[id(keyword)] = keyword
                if path not in paths[id(keyword)]:
                    paths[id(keyword)].append(path)
        for key, keyword in keywords.items():
            yield Found(dialect, keyword, tuple(paths[key]))


KEYWORDS = list(all_keywords())


def named(found: Found) -> str:
    return f"{found.paths[0]}/{found.name}"


def own(found: Found) -> Keyword:
    assert found.keyword is not None
    return found.keyword


def inventory() -> list[tuple[str, str]]:
    """Block and keyword of each row of the keyword inventory."""
    corpus = corpus_dir()
    file = corpus.parent / "research" / "keepalived-keywords.tsv" if corpus else None
    if file is None or not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as rows:
        return [(row[0], row[1]) for row in csv.reader(rows, delimiter="\t")][1:]


INVENTORY = inventory()


def test_tables_have_all_their_keywords() -> None:
    assert len(KEYWORDS) > 450


def test_docs_are_sentences() -> None:
    for found in KEYWORDS:
        doc = own(found).doc
        assert doc.endswith("."), named(found)
        assert doc[0].isupper() or doc[0].isdigit(), named(found)
        assert len(doc.split()) >= 4, named(found)
        assert "  " not in doc, named(found)
        assert doc.count("`") % 2 == 0, named(found)


def test_docs_of_blocks_are_sentences() -> None:
    for dialect in DIALECTS:
        for path in own_paths(dialect):
            assert dialect.blocks[path].doc.endswith("."), path


def test_docs_are_not_shared() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for found in KEYWORDS:
        places[own(found).doc].append(f"{found.dialect.name}: {named(found)}")
    assert {doc: names for doc, names in places.items() if len(names) > 1} == {}


def test_words_that_docs_mark_are_keywords() -> None:
    for found in KEYWORDS:
        keyword = own(found)
        known = {
            word
            for path in own_paths(found.dialect)
            for word in found.dialect.blocks[path].keywords
        }
        marked = set(_MARKED.findall(" ".join((keyword.doc, *keyword.notes))))
        assert marked - _NO_KEYWORDS <= known, (named(found), marked - known)


def test_numbers_in_units_name_their_unit_in_the_explanation() -> None:
    units = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "bytes": "bytes"}
    for found in KEYWORDS:
        unit = own(found).unit
        if unit and any(one.type in {"unsigned", "integer"} for one in own(found).args):
            page = " ".join(to_text([found], (2, 2, 7), 100).split())
            assert f" {units[unit]}" in page, named(found)


def test_examples_are_statements_of_their_keywords() -> None:
    wrong = []
    for found in KEYWORDS:
        keyword, text = own(found), example(found)
        words = {word for line in text.split("\n") for word in line.split()[:1]}
        is_directive = found.block.path == "directive" and text.startswith(keyword.name[:1])
        if not (keyword.removed or is_directive or words & {keyword.name, *keyword.aliases}):
            wrong.append((named(found), text))
    assert wrong == []


def test_examples_are_the_first_lines_of_their_cases() -> None:
    import tomllib

    folder = Path(resource_path("grammar"))
    for dialect, name in zip(DIALECTS, ("keepalived", "lvs_cf"), strict=True):
        for path in dialect.blocks:
            table = tomllib.loads((folder / name / f"{path or 'root'}.toml").read_text("utf-8"))
            cases = table.get("cases", {})
            for word, keyword in dialect.blocks[path].keywords.items():
                if word in table.get("keyword", {}):
                    assert keyword.example == cases.get(word, {}).get("example", ""), (path, word)


def test_examples_are_accepted() -> None:
    """Of one-line statements the words, of blocks what is inside."""
    told = {}
    for found in KEYWORDS:
        keyword = own(found)
        if keyword.example and found.block.path != "directive":
            complaints = _complaints(found.paths[0], keyword)
            if complaints:
                told[named(found)] = complaints
    assert told == {}


def test_examples_of_the_lexer_are_expanded_without_a_finding() -> None:
    for word, keyword in KEEPALIVED.blocks["directive"].keywords.items():
        if not word.startswith("include"):
            source = decode("example.conf", f"{keyword.example}\n".encode())
            codes = {one.code for one in check_source(source, "2.2.7").diagnostics}
            assert not any(code < "DR200" for code in codes), (word, codes)


def _complaints(path: str, keyword: Keyword) -> list[str]:
    text = keyword.example
    if keyword.opens is None:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', text.split("\n")[-1])]
        return [one.text for one in judge(keyword, words[1:], NEWEST)]
    wrong = {"DR201", "DR202", "DR205", "DR206", "DR207", "DR208", "DR209", "DR210", "DR211"}
    source = decode("example.conf", (_around(path, text) + "\n").encode())
    found = check_source(source, "2.4.4").diagnostics
    return [f"{one.code} {one.message}" for one in found if one.code in wrong]


def _around(path: str, text: str) -> str:
    """`text` inside the blocks that it belongs into."""
    for word in reversed(path.split("/") if path else []):
        name = {"virtual_server": " 192.0.2.10 80", "real_server": " 192.0.2.21 80"}.get(word, " N")
        text = f"{word}{name if word[0].islower() and word not in _NAMELESS else ''} {{\n{text}\n}}"
    return text


_NAMELESS = {"global_defs", "url", "garp_group", "authentication", "auth_hmac", "host"}


def test_every_keyword_has_neighbours_that_exist() -> None:
    for found in KEYWORDS:
        near = neighbours(found)
        if len(found.block.keywords) > 1:
            assert near, named(found)
        assert own(found).name not in near


@pytest.mark.skipif(not INVENTORY, reason="the keyword inventory is not there")
def test_every_row_of_the_inventory_is_explained() -> None:
    names = {"(top level)": "root", "(lexer)": "directive"}
    unexplained = []
    for block, word in INVENTORY:
        found = find([KEEPALIVED], word, names.get(block, block))
        pages = to_text(found, (2, 2, 7), 80) if found else ""
        if not found or len(pages.split("\n")) < 5:
            unexplained.append((block, word))
    assert unexplained == []
    assert len(INVENTORY) > 500
    assert ENTRY in {word for _, word in INVENTORY}
