"""The expanded view against the installed keepalived: the same logical lines, at the same places.

Other releases than 2.2.7 lex a few things otherwise, so they are not asked.
"""

from __future__ import annotations

import os
import random
import re
import subprocess

import pytest
from expand_oracle import IDENTITY, MAIN, Answer, ask
from expand_oracle_files import firsts
from memory_files import MemoryFiles
from test_expand_lines import CASES

from drctl.syntax.expanded import Expanded, ExpandOptions, expand
from drctl.text.diagnostic import Severity
from drctl.text.source import decode
from tools import need, refuse

BEGIN = b"begin\n"
"""Makes the first message of each process name the main file."""
ASKED_WITHOUT_SENSE = frozenset(
    {
        *("directory", "random"),  # another directory, another number
        "NUL",  # keepalived counts the line no more
        "no final line end",  # nor the last one
    }
)
SEEDS = range(1000 if os.environ.get("DRCTL_FULL") == "1" else 150)
PIECES = [
    *("a", "bb", "c", "{", "}", " ", "  ", "\t", "#", "!", "\\", '"', "\\#", "\\!", "'", "~", "$"),
    *("$A", "${A}", "$B", "${B}", "$M", "${M}", "$A=", "$B=", "$M=", "\\\n", "\n", "\n", "\n"),
    *(
        "@lb1 ",
        "@no ",
        "@^no ",
        "@",
        "~SEQ(",
        "~SEQ(i,",
        "~SEQx(i,1,3)",
        "~SEQ(i,2)",
        "~LST(i,x,y)",
    ),
    *("~LST({i,j},{1,2},{3})", "$i", "${i}", "$j", "1", ",", "2", ",", ")", "(", "-1", "=", "x"),
    *("include ", "f.conf", "g.conf", "{a}", "$_HASH", "${_BANG}", "$A=x y\n", "$B=$A z\n"),
    *("$M=p \\\nq $A \\\nr\n", "$M\n", "${M}\n", " ~SEQ(k,3,2,8) w$k\n", "\\ \n", " \n", "x # y\n"),
]
_UNDEFINED_IN_C = re.compile(rb"^[ \t]*(?:@\S* +)?\\[#!]", re.MULTILINE)
"""Lines that keepalived takes for marks of its own: later messages name other files, or it
crashes."""


@pytest.fixture(scope="module")
def program() -> str:
    found = need("keepalived", "keepalived")
    said = subprocess.run([found, "--version"], check=False, capture_output=True, text=True)
    if "v2.2.7" not in said.stderr:
        refuse("needs keepalived 2.2.7")
    return found


def both(program: str, files: dict[str, bytes]) -> tuple[Answer, Expanded]:
    options = ExpandOptions(config_id=IDENTITY)
    files = {**files, MAIN: BEGIN + files[MAIN]}
    return ask(program, files), expand(decode(MAIN, files[MAIN]), MemoryFiles(files), options)


@pytest.mark.parametrize("name", sorted(CASES.keys() - ASKED_WITHOUT_SENSE))
def test_keepalived_reads_the_same_lines_from_a_case(program: str, name: str) -> None:
    said, found = both(program, {MAIN: CASES[name][0].encode()})
    assert said.parent == firsts(found.parent_lines)
    assert said.child == firsts(found.lines)


def text_of(chance: random.Random, most: int) -> bytes:
    count = chance.randint(1, most)
    return "".join(chance.choice(PIECES) for _ in range(count)).encode() + b"\n"


def rewrites_its_own_lines(files: dict[str, bytes]) -> bool:
    """Whether a definition of several lines may be changed while its lines are read, when
    keepalived reads memory that it has freed."""
    definitions = re.findall(rb"\$M=(?:[^\n]*\\\n)*[^\n]*", b"\n".join(files.values()))
    return any(one.count(b"$M=") > 1 for one in definitions) or any(
        (b"~SEQ" in line and b"$M=" in line) or (b"~LST" in line and b"$M=" in line)
        for line in files[MAIN].split(b"\n")
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_keepalived_reads_the_same_lines_from_any_text(program: str, seed: int) -> None:
    chance = random.Random(seed)
    files = {MAIN: text_of(chance, 30), "f.conf": text_of(chance, 10), "g.conf": b"gg\n"}
    if _UNDEFINED_IN_C.search(b"\n".join(files.values())) or rewrites_its_own_lines(files):
        pytest.skip("what keepalived does here depends on what its memory holds")
    said, found = both(program, files)
    is_endless = any(one.name == "endless-definition" for one in found.findings)
    if said.exit < 0 or is_endless:
        # drctl stops before the line is as long as keepalived lets it become
        assert any(one.severity is Severity.ERROR for one in found.findings)
        return
    assert said.parent == firsts(found.parent_lines)
    assert said.child == firsts(found.lines)


FAULTS = {
    "quote without end": 'a "b\n',
    "quote without end in a value": '$A="x\na $A\n',
    "escaped quote": 'a "b \\" c\n',
    "missing include": "include nothing.conf\n",
    "missing include by pattern": "include x{a,b}.conf\n",
    "no match": "includew x*.conf\n",
    "directory": "include .\n",
    "malformed sequence": "~SEQ(i,1,0,5) a $i\n~SEQ(i) a\n~SEQ[i,1) a\n~SEQx(i,-1,3) a\n",
    "sequence without end": "~SEQ(i,1 a\n",
    "malformed list": "~LST(i,x a\n~LST({i,j},{1,2,3}) a\n",
    "executable": "include run.conf\n",
}


@pytest.mark.parametrize("name", FAULTS)
def test_keepalived_names_no_line_without_a_finding(program: str, name: str) -> None:
    said, found = both(program, {MAIN: FAULTS[name].encode()})
    assert said.others, "keepalived has something to say of this"
    told = {one.place.line for one in found.findings if one.severity is not Severity.INFO}
    assert {line for _, line, _ in said.others} <= told


def test_definition_of_itself_is_no_end_to_keepalived(program: str) -> None:
    for text in (b"$X=$X\na $X\n", b"$M=a \\\n$M\n$M\n"):
        said, found = both(program, {MAIN: text})
        assert said.exit < 0
        assert [one.code for one in found.findings] == ["DR122"]


def test_escaped_mark_at_the_start_of_a_line_crashes_keepalived(program: str) -> None:
    said, found = both(program, {MAIN: b"\\!x\n"})
    assert said.exit < 0
    assert [one.code for one in found.findings] == ["DR107"]
