"""Judges single statements by the tables; each distinct statement of a block once.

What depends on other statements is found by `structure` (a second one, one that must stand above)
and by the rules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint import kind
from drctl.lint.kind import Problem
from drctl.lint.wording import (
    cut_address_of,
    hint_for_unknown,
    hint_for_value,
    hint_for_word,
    unused_words,
)
from drctl.schema.composite import judge, judge_words
from drctl.schema.table import version_of
from drctl.text.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drctl.schema.complaint import Complaint
    from drctl.schema.table import Block, Dialect, Keyword

Words = tuple[str, ...]

NOT_IN_EVERY_BUILD = frozenset({"vrrp_ipsets", "vrrp_iptables"})
"""Keywords that depend on a library which Debian's keepalived is built without."""
UNKNOWN_WITHOUT = frozenset({"vrrp_ipsets"})
"""Those that are an unknown keyword then; for the other, nftables is taken."""
SKIPPED_WHEN_REFUSED = frozenset(
    {
        *("vrrp_instance", "vrrp_sync_group", "track_group", "group"),
        *("virtual_server", "real_server", "bfd_instance"),
    }
)
"""keepalived does not look into these blocks when it refuses their header."""
_ENDPOINT_BLOCK, _ENDPOINT_KEYWORD = "virtual_server", "real_server"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_ENDPOINT = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}} [1-9]\d{{0,3}}", re.ASCII)
"""Of real servers there are tens of thousands, each with an address of its own."""
_SECRET = frozenset({"auth_pass", "password", "key"})
"""Keywords whose value no message repeats."""
_SIMILAR = 0.75
_FALSE = frozenset({"off", "false", "no"})
_OPENING = ("{",)
_CLOSING = ("}",)


class Judgement:
    """What is to be said of one statement.

    `keyword` is None for a line of a value block and for an unknown keyword. `is_refused` says that
    the program drops the statement, `opens` is the block that it opens. `is_plain` statements have
    nothing to be said and open nothing.
    """

    __slots__ = ("is_plain", "is_refused", "is_unknown", "keyword", "opens", "problems")

    def __init__(
        self,
        keyword: Keyword | None,
        problems: tuple[Problem, ...] = (),
        opens: Block | None = None,
        *,
        is_unknown: bool = False,
    ) -> None:
        self.keyword = keyword
        self.problems = problems
        self.opens = opens
        self.is_unknown = is_unknown
        self.is_refused = is_unknown or any(
            p.kind in (kind.BAD_VALUE, kind.MISSING_VALUE, kind.NO_EFFECT) for p in problems
        )
        is_counted = keyword is not None and (
            keyword.again in ("refused", "reported") or keyword.after is not None
        )
        self.is_plain = not problems and opens is None and not is_unknown and not is_counted


class Statements:
    """Judgements for one dialect and target version."""

    def __init__(self, dialect: Dialect, version: tuple[int, ...]) -> None:
        self.dialect = dialect
        self.version = version
        self._known: dict[str, dict[Words, Judgement]] = {}
        self._homes: dict[str, list[str]] = {}
        self._similarities: dict[str, dict[str, str]] = {}
        self._endpoint: Judgement | None = None

    def judge(self, block: Block, words: Words) -> Judgement:
        """The judgement on `words` as a statement of `block`."""
        known = self._known.setdefault(block.path, {})
        found = known.get(words)
        if found is None:
            is_endpoint = words[0] == _ENDPOINT_KEYWORD and block.path == _ENDPOINT_BLOCK
            if is_endpoint and _ENDPOINT.fullmatch(" ".join(words[1:])):
                return self._sound_endpoint(block)
            found = self._judge_entry(block, words) if block.entry else self._judge(block, words)
            known[words] = found
        return found

    def _sound_endpoint(self, block: Block) -> Judgement:
        """What is to be said of every real_server with a plain address and port."""
        if self._endpoint is None:
            keyword = block.keywords[_ENDPOINT_KEYWORD]
            assert keyword.opens is not None
            self._endpoint = Judgement(keyword, (), self.dialect.blocks[keyword.opens])
        return self._endpoint

    def is_known(self, block: Block, keyword: Keyword) -> bool:
        """Whether the target version knows the keyword in this block."""
        return block.knows(keyword, self.version)

    def _judge_entry(self, block: Block, words: Words) -> Judgement:
        assert block.entry is not None
        if words == _OPENING:
            problem = Problem(kind.BAD_VALUE, -1, f"'{{' inside {block.keyword} is no entry of it")
            return Judgement(None, (problem,))
        complaints = judge_words(block.entry, words)
        # of a value block's line the first word is word 0, there is no keyword
        problems = [_with_hint(words, _problem(c, c.word - 1)) for c in _first(complaints)]
        if not problems and (cut := cut_address_of(block.entry, words)):
            problems.append(cut._replace(word=-1))
        return Judgement(None, tuple(problems))

    def _judge(self, block: Block, words: Words) -> Judgement:
        name = words[0]
        keyword = block.keywords.get(name)
        if keyword is None:
            return Judgement(None, (self._unknown(block, name),), is_unknown=True)
        if not self.is_known(block, keyword):
            return Judgement(None, (self._other_version(block, keyword),), is_unknown=True)
        complaints = _firsts(judge(keyword, words[1:], self.version))
        problems = [self._refused(keyword, words, _problem(c, c.word)) for c in complaints]
        if name in _SECRET and len(words) > 1 and words[1]:
            problems = [p._replace(message=p.message.replace(words[1], MASK)) for p in problems]
        if len(words) <= 1:
            problems = [
                p._replace(kind=kind.MISSING_VALUE, hint=_missing_hint(keyword))
                if p.word == -1 and p.kind is kind.BAD_VALUE
                else p
                for p in problems
            ]
        if keyword.missing == "ignored" and len(words) <= keyword.required:
            problems.append(Problem(kind.NO_EFFECT, -1, f"{name} without a value is ignored"))
        if name in NOT_IN_EVERY_BUILD:
            text = f"{name} is unknown to builds without the library that it needs, as Debian's"
            found = kind.NOT_IN_BUILD if name in UNKNOWN_WITHOUT else kind.OPTIONAL_IN_BUILD
            problems.append(Problem(found, -1, text))
        elif keyword.deprecated and version_of(keyword.deprecated) <= self.version:
            text = f"{name} is deprecated since {keyword.deprecated}"
            problems.append(Problem(kind.DEPRECATED_KEYWORD, -1, text, _instead(keyword)))
        if not keyword.args and len(words) > 1 and words[1] in _FALSE and keyword.opens is None:
            text = f"{words[1]} is ignored: {name} is switched on whatever follows"
            problems.append(Problem(kind.IGNORED_WORD, 0, text, "remove the line"))
        elif not problems and (unused := unused_words(block, keyword, words, self.version)):
            problems.append(unused)
        opens = self.dialect.blocks[keyword.opens] if keyword.opens is not None else None
        return Judgement(keyword, tuple(problems), opens)

    def _refused(self, keyword: Keyword, words: Words, problem: Problem) -> Problem:
        """The problem with what is to be written instead, where that is clear."""
        if problem.kind is not kind.BAD_VALUE or not 0 <= problem.word < len(words) - 1:
            return problem
        arguments = keyword.args_in(self.version)
        word = words[problem.word + 1]
        hint = hint_for_value(keyword, arguments, word, problem.word)
        message = problem.message if word else f'""{problem.message}'
        if not hint and keyword.name in SKIPPED_WHEN_REFUSED:
            hint = f"as it stands keepalived skips the whole {keyword.name}"
        return problem._replace(message=message, hint=hint or problem.hint)

    def _other_version(self, block: Block, keyword: Keyword) -> Problem:
        version = ".".join(map(str, self.version))
        if keyword.removed is not None and version_of(keyword.removed) <= self.version:
            text = f"{keyword.name} is gone since {keyword.removed}, {version} does not know it"
            hint = _instead(keyword) or "remove the line"
            return Problem(kind.REMOVED_KEYWORD, -1, text, hint)
        text = (
            f"{keyword.name} is known from {block.since_of(keyword)} on, {version} does not know it"
        )
        return Problem(kind.NEWER_KEYWORD, -1, text, "remove it, or say --target-version")

    def _unknown(self, block: Block, name: str) -> Problem:
        where = f" in {block.keyword}" if block.path else ""
        if homes := self._homes_of(name):
            text = f"{name} is no keyword{where or ' here'}"
            shown = " or ".join(homes[:3])
            return Problem(kind.MISPLACED_KEYWORD, -1, text, f"it belongs in {shown}")
        text = f"unknown keyword {name}{where}"
        close = self._similar(block, name)
        hint = f"did you mean {close}?" if close else hint_for_unknown(name)
        return Problem(kind.UNKNOWN_KEYWORD, -1, text, hint)

    def _similar(self, block: Block, name: str) -> str:
        """The keyword of a block that `name` is probably meant to be, empty without one."""
        known = self._similarities.setdefault(block.path, {})
        found = known.get(name)
        if found is None:
            words = [w for w, keyword in block.keywords.items() if self.is_known(block, keyword)]
            found = known[name] = _similar(name, words)
        return found

    def _homes_of(self, name: str) -> list[str]:
        """The blocks that know a keyword."""
        if not self._homes:
            blocks = sorted(self.dialect.blocks.items(), key=lambda item: item[0].count("/"))
            for path, block in blocks:
                if path == "directive" or path.startswith("common/"):
                    continue
                shown = block.keyword or "the outermost level"
                for word, keyword in block.keywords.items():
                    if not self.is_known(block, keyword):
                        continue
                    homes = self._homes.setdefault(word, [])
                    if shown not in homes:
                        homes.append(shown)
        return self._homes.get(name, [])


def _first(complaints: Iterable[Complaint]) -> Iterator[Complaint]:
    """The first complaint that refuses an entry, and advice."""
    is_refused = False
    for complaint in complaints:
        if complaint.is_advice or not is_refused:
            yield complaint
        is_refused = is_refused or not complaint.is_advice


def _firsts(complaints: Iterable[Complaint]) -> Iterator[Complaint]:
    """Without the complaints about a word whose neighbour on the left is refused already: mostly
    it is in the wrong place because of that one."""
    refused = -3
    for complaint in complaints:
        if complaint.is_advice:
            yield complaint
            continue
        if complaint.word != refused + 1:
            yield complaint
        refused = complaint.word


def _with_hint(words: Words, problem: Problem) -> Problem:
    """The problem of a value block's line with the way out, where that is clear."""
    word = words[min(problem.word + 1, len(words) - 1)]
    return problem._replace(hint=problem.hint or hint_for_word(word))


def _problem(complaint: Complaint, word: int) -> Problem:
    found = kind.CHANGED_VALUE if complaint.is_advice else kind.BAD_VALUE
    return Problem(found, word, complaint.text)


def _missing_hint(keyword: Keyword) -> str:
    if keyword.missing == "stops":
        return "keepalived stops here, also when it reloads: give a value or remove the line"
    return "give a value or remove the line"


def _instead(keyword: Keyword) -> str:
    return f"use {keyword.replacement}" if keyword.replacement else ""


def _similar(name: str, keywords: Iterable[str]) -> str:
    # two words can only be so similar when they are about equally long
    name = name.lower()
    low, high = len(name) * _SIMILAR / (2 - _SIMILAR), len(name) * (2 - _SIMILAR) / _SIMILAR
    by_lower = {word.lower(): word for word in keywords if low <= len(word) <= high}
    if not by_lower:
        return ""
    from difflib import get_close_matches

    found = get_close_matches(name, list(by_lower), n=1, cutoff=_SIMILAR)
    return by_lower[found[0]] if found else ""
