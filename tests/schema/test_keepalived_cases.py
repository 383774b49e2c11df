"""The examples in keepalived's tables: keepalived says what they say, and so does drctl."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from schema.keepalived_oracle_cases import READ_TO_THE_END, Question, ask

from drctl.schema.composite import judge, judge_words
from drctl.schema.load import load_dialect
from drctl.schema.table import Case, Keyword, version_of
from tools import need, need_root

DIALECT = load_dialect("keepalived")
VERSION = version_of(DIALECT.version)
WITHOUT_CASES = {"vrrp_ipsets", "ops", "native_ipv6"}
"""Not known to Debian's 2.2.7, or judged only together with the statements around."""
SAMPLE = 40
"""One case in so many is asked about unless DRCTL_FULL=1."""
_BAD_HEADER = re.compile(r"\w+(?: \S+ \S+)? \{\n\}")
"""An empty block with no word in its header, or two."""
_WORD = re.compile(r'"([^"]*)"|([^\s"]+)')


@dataclass(frozen=True)
class Example:
    """A case with its place: the table, and the keyword or None for a value block's line."""

    path: str
    keyword: Keyword | None
    case: Case

    def __str__(self) -> str:
        return f"{self.path}: {self.case.text}"

    @property
    def is_alone(self) -> bool:
        """Whether keepalived may stop reading here."""
        return not self.case.is_accepted and len(self.case.text.split()) == 1


def examples() -> Iterator[Example]:
    """Each case once; those of shared tables belong to these."""
    seen: set[int] = set()
    for path in sorted(DIALECT.blocks, key=lambda path: (not path.startswith("common/"), path)):
        block = DIALECT.blocks[path]
        yield from (Example(path, None, case) for case in block.cases)
        for keyword in block.keywords.values():
            if id(keyword) not in seen:
                seen.add(id(keyword))
                yield from (Example(path, keyword, case) for case in keyword.cases)


EXAMPLES = list(examples())


def test_examples_are_many() -> None:
    assert len(EXAMPLES) > 2500


@pytest.mark.parametrize("path", [path for path in DIALECT.blocks if path != "directive"])
def test_every_keyword_of_2_2_7_has_cases(path: str) -> None:
    for keyword in DIALECT.blocks[path].keywords.values():
        is_known = version_of(keyword.since or "1.0.0") <= VERSION
        if keyword.removed is not None and version_of(keyword.removed) <= VERSION:
            is_known = False
        if is_known and keyword.name not in WITHOUT_CASES and not keyword.opens:
            assert keyword.cases, keyword.name


def test_keepalived_says_of_every_example_what_the_table_says() -> None:
    need("keepalived", "keepalived")
    need("unshare", "util-linux")
    need_root()
    chosen = EXAMPLES if os.environ.get("DRCTL_FULL") == "1" else EXAMPLES[::SAMPLE]
    by_question = {
        Question(place_of(example), example.case.text, example.is_alone): example
        for example in chosen
    }
    wrong = []
    for answer in ask(by_question):
        example = by_question[answer.question]
        has_crashed = answer.exit not in {*READ_TO_THE_END, 2}
        is_refused = bool(answer.inside) or has_crashed
        expected = example.case.message
        if expected is None:
            if is_refused or answer.around:
                wrong.append((str(example), answer.inside, answer.around))
        elif not is_refused or (expected and not any(expected in m for m in answer.inside)):
            wrong.append((str(example), answer.inside, answer.around))
    assert wrong == []


def place_of(example: Example) -> str:
    """A block in which a case of a shared table can stand."""
    if example.path.startswith("common/"):
        return "virtual_server/real_server/TCP_CHECK"
    return example.path


DEPENDS_ON_MORE = {
    *("vrrp_cpu_affinity", "checker_cpu_affinity", "bfd_cpu_affinity", "user", "script_user"),
    *("ip_family", "hashed", "sh-port", "sh-fallback", "mh-port", "mh-fallback", "vrf"),
    *("smtp_server", "startup_script", "shutdown_script", "name", "track_file"),
}
"""Keywords that are refused for other statements' or the machine's sake."""
NOT_FOUND = re.compile(r"not found|track (?:process|script|bfd|file)$|doesn't exist|duplicate")


def is_judged_by_its_words(example: Example) -> bool:
    keyword = example.keyword
    if keyword is None:
        return not NOT_FOUND.search(example.case.message or "")
    is_header = bool(keyword.args) and _BAD_HEADER.fullmatch(example.case.text)
    is_several = "\n" in example.case.text and not example.case.is_accepted and not is_header
    is_relative = keyword.after is not None or keyword.name in DEPENDS_ON_MORE
    return not (is_several or is_relative or keyword.deprecated or keyword.removed)


def statement_of(example: Example) -> str:
    """The case's last statement; of a block, its first line."""
    lines = example.case.text.split("\n")
    if example.keyword is None or example.keyword.opens is None:
        return lines[-1]
    headers = [line for line in lines if line.startswith(example.keyword.name)]
    return headers[-1].removesuffix("{")


def words_of(line: str) -> list[str]:
    return [quoted or plain for quoted, plain in _WORD.findall(line)]


@pytest.mark.parametrize("path", list(DIALECT.blocks))
def test_words_of_every_example_are_judged_as_keepalived_judges_them(path: str) -> None:
    wrong = []
    for example in EXAMPLES:
        if example.path != path or not is_judged_by_its_words(example):
            continue
        words = words_of(statement_of(example))
        if example.keyword is None:
            entry = DIALECT.blocks[path].entry
            assert entry is not None
            complaints = judge_words(entry, words)
        else:
            complaints = judge(example.keyword, words[1:], VERSION)
        if bool(complaints) == example.case.is_accepted:
            wrong.append((example.case.text, example.case.message, complaints))
    assert wrong == []


def test_nearly_all_examples_are_judged_by_their_words() -> None:
    judged = sum(map(is_judged_by_its_words, EXAMPLES))
    assert judged > 0.85 * len(EXAMPLES)


@pytest.mark.parametrize(
    ("path", "line", "version", "is_accepted"),
    [
        ("vrrp_script", "interval 0.5", "2.2.7", False),
        ("vrrp_script", "interval 0.5", "2.3.2", True),
        ("vrrp_script", "interval 0", "2.3.2", False),
        ("global_defs", "vrrp_strict maybe", "2.2.7", True),
        ("global_defs", "vrrp_strict maybe", "2.3.0", False),
        ("garp_group", "garp_interval 3000", "2.2.7", False),
        ("garp_group", "garp_interval 3000", "2.3.2", True),
    ],
)
def test_words_are_judged_as_the_version_would(
    path: str, line: str, version: str, is_accepted: bool
) -> None:
    word, *words = line.split()
    complaints = judge(DIALECT.blocks[path].keywords[word], words, version_of(version))
    assert (complaints == []) == is_accepted
