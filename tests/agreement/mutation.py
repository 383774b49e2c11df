"""Seeded mutations of configurations: one fault each, of the kinds that people make."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from drctl.schema.load import load_dialect

Lines = list[str]

_WORD = re.compile(r'"[^"]*"|[^\s{}"#!]+')
_NUMBER = re.compile(r"(?<![\w.:])\d+(?![\w.:])")
_NUMBERS = (
    "0",
    "-1",
    "256",
    "65536",
    "4294967296",
    "99999999999999999999",
    "0x10",
    "1.5",
    "5s",
    "",
)
_WRONG_TYPES = ("yes", "10", "192.0.2.77", "2001:db8::77", "eth9", "/usr/bin/true", "MASTER", "no")
_STRAY = ("priority 100", "weight 5", "interface eth0", "192.0.2.9", "delay_loop 6", "state BACKUP")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed text; `kind` names what was done, `seed` makes it again."""

    kind: str
    seed: int
    text: str


def mutate(text: str, seed: int, *, has_examples: bool = False) -> Mutant:
    """The mutant of `text` with this number; with `has_examples` half of the faults are examples of
    the tables, right and wrong ones."""
    chance = random.Random(seed)
    names = list(KINDS)
    for _ in range(20):
        kind = chance.choice(names)
        lines = text.split("\n")
        change = KINDS[kind]
        if has_examples and chance.random() < 0.5:
            kind, change = "example added", add_example
        if change(lines, chance):
            changed = "\n".join(lines)
            if changed != text:
                return Mutant(kind, seed, changed)
    return Mutant("nothing", seed, text)


def _statements(lines: Sequence[str]) -> list[int]:
    """Numbers of the lines with words on them."""
    return [n for n, line in enumerate(lines) if _words(line)]


def _words(line: str) -> list[re.Match[str]]:
    code = re.sub(r'^((?:[^"#!]|"[^"]*")*)[#!].*', r"\1", line)
    return list(_WORD.finditer(code))


def _pick(lines: Sequence[str], chance: random.Random) -> int | None:
    numbers = _statements(lines)
    return chance.choice(numbers) if numbers else None


def _pick_word(
    lines: Sequence[str], chance: random.Random, first: int = 0
) -> tuple[int, re.Match[str]] | None:
    number = _pick(lines, chance)
    if number is None:
        return None
    words = _words(lines[number])[first:]
    return (number, chance.choice(words)) if words else None


def _put(lines: Lines, number: int, word: re.Match[str], new: str) -> None:
    line = lines[number]
    lines[number] = line[: word.start()] + new + line[word.end() :]


def drop_word(lines: Lines, chance: random.Random) -> bool:
    """A word is missing."""
    found = _pick_word(lines, chance)
    if found is None:
        return False
    _put(lines, *found, "")
    return True


def double_word(lines: Lines, chance: random.Random) -> bool:
    """A word twice."""
    found = _pick_word(lines, chance)
    if found is None:
        return False
    _put(lines, *found, f"{found[1][0]} {found[1][0]}")
    return True


def misspell(lines: Lines, chance: random.Random) -> bool:
    """Two letters exchanged, one left out, one doubled, or in the other case."""
    found = _pick_word(lines, chance)
    if found is None or len(found[1][0]) < 3 or found[1][0][0] == '"':
        return False
    word = found[1][0]
    at = chance.randrange(len(word) - 1)
    new = chance.choice(
        [
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word.swapcase(),
        ]
    )
    _put(lines, *found, new)
    return True


def drop_line(lines: Lines, chance: random.Random) -> bool:
    """A line is missing."""
    number = _pick(lines, chance)
    if number is None:
        return False
    del lines[number]
    return True


def double_line(lines: Lines, chance: random.Random) -> bool:
    """A line twice."""
    number = _pick(lines, chance)
    if number is None:
        return False
    lines.insert(number, lines[number])
    return True


def move_line(lines: Lines, chance: random.Random) -> bool:
    """A statement in another block."""
    source, target = _pick(lines, chance), _pick(lines, chance)
    if source is None or target is None or source == target:
        return False
    if "{" in lines[source] or "}" in lines[source]:
        return False
    lines.insert(target, lines.pop(source))
    return True


def lose_brace(lines: Lines, chance: random.Random) -> bool:
    """A brace is missing."""
    places = [(n, i) for n, line in enumerate(lines) for i, c in enumerate(line) if c in "{}"]
    if not places:
        return False
    number, at = chance.choice(places)
    lines[number] = lines[number][:at] + lines[number][at + 1 :]
    return True


def add_brace(lines: Lines, chance: random.Random) -> bool:
    """A brace too many."""
    number = _pick(lines, chance)
    if number is None:
        return False
    lines.insert(number + 1, chance.choice("{}"))
    return True


def change_number(lines: Lines, chance: random.Random) -> bool:
    """A number out of range, or none at all."""
    places = [
        (n, found) for n, line in enumerate(lines) for found in _NUMBER.finditer(line)
        if _words(line)
    ]  # fmt: skip
    if not places:
        return False
    number, found = chance.choice(places)
    _put(lines, number, found, chance.choice(_NUMBERS))
    return True


def open_quote(lines: Lines, chance: random.Random) -> bool:
    """A quote without end."""
    found = _pick_word(lines, chance)
    if found is None:
        return False
    number, word = found
    new = word[0][:-1] if word[0].endswith('"') else f'"{word[0]}'
    _put(lines, number, word, new)
    return True


def change_type(lines: Lines, chance: random.Random) -> bool:
    """A value of another type."""
    found = _pick_word(lines, chance, 1)
    if found is None:
        return False
    _put(lines, *found, chance.choice(_WRONG_TYPES))
    return True


def condition(lines: Lines, chance: random.Random) -> bool:
    """A condition before a statement that holds, or one that does not."""
    number = _pick(lines, chance)
    if number is None:
        return False
    line = lines[number]
    if "{" in line or "}" in line:
        return False
    lines[number] = chance.choice(["@oracle ", "@other ", "@^other ", "@^oracle "]) + line.lstrip()
    return True


def definition(lines: Lines, chance: random.Random) -> bool:
    """A value by a definition."""
    found = _pick_word(lines, chance, 1)
    if found is None or found[1][0][0] == '"':
        return False
    number, word = found
    _put(lines, number, word, chance.choice(["$OWN", "${OWN}"]))
    lines.insert(0, f"$OWN={word[0]}")
    return True


def stray_statement(lines: Lines, chance: random.Random) -> bool:
    """A statement of some block anywhere."""
    number = _pick(lines, chance)
    if number is None:
        return False
    lines.insert(number, chance.choice(_STRAY))
    return True


def add_example(lines: Lines, chance: random.Random) -> bool:
    """An example of the tables at the beginning of a block, mostly of the kind that it is of."""
    headers = [(n, found[1]) for n, line in enumerate(lines) if (found := _HEADER.search(line))]
    if not headers:
        return False
    number, name = chance.choice(headers)
    homes = _homes()
    paths = homes.get(name, []) if chance.random() < 0.9 else [chance.choice([*homes.values()])[0]]
    if not paths:
        return False
    examples = _examples(chance.choice(paths))
    if not examples:
        return False
    lines[number + 1 : number + 1] = chance.choice(examples).split("\n")
    return True


_HEADER = re.compile(r"^\s*([\w-]+)[^{}#!]*\{\s*$")


@cache
def _homes() -> dict[str, list[str]]:
    """Paths of tables by the word that opens their block."""
    homes: dict[str, list[str]] = {}
    for path in load_dialect("keepalived").blocks:
        if path and path != "directive" and not path.startswith("common/"):
            homes.setdefault(path.rpartition("/")[2], []).append(path)
    return homes


@cache
def _examples(path: str) -> list[str]:
    """All examples of statements of a block, or of a value block's lines."""
    block = load_dialect("keepalived").blocks[path]
    keywords = {id(keyword): keyword for keyword in block.keywords.values()}.values()
    cases = [*block.cases, *(case for keyword in keywords for case in keyword.cases)]
    return [case.text for case in cases if "config_save_dir" not in case.text]


KINDS: dict[str, Callable[[Lines, random.Random], bool]] = {
    "word dropped": drop_word,
    "word doubled": double_word,
    "word misspelt": misspell,
    "line dropped": drop_line,
    "line doubled": double_line,
    "line moved": move_line,
    "brace lost": lose_brace,
    "brace added": add_brace,
    "number changed": change_number,
    "quote opened": open_quote,
    "type changed": change_type,
    "condition added": condition,
    "definition added": definition,
    "statement added": stray_statement,
}
