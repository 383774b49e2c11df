"""The blocks of a text as keepalived's parser finds them, braces too many or too few included.

keepalived reads a configuration once for each of its processes, and each skips the blocks of the
others, so broken structure is a different thing to each of them; `Structure` follows one process
(or, with `owner` None, all of them at once, which is the same when the structure is sound). Facts:
`process_stream`, `alloc_value_block` and `read_line` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint import kind
from drctl.lint.frame import Frame
from drctl.lint.kind import Problem
from drctl.lint.section import Section
from drctl.lint.section_fact import has_statement, is_unset, outside
from drctl.lint.statement import SKIPPED_WHEN_REFUSED, Judgement, Statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.lint.report import Report
    from drctl.schema.table import Block, Keyword
    from drctl.syntax.expanded import Line

Words = tuple[str, ...]

PROCESSES = ("parent", "checker", "vrrp", "bfd")
"""keepalived's processes, in the order in which `-t` reads the configuration for each."""
_OPENING, _CLOSING = ("{",), ("}",)
_NOTHING: frozenset[Words] = frozenset()
_SAID_AFTER_READING = frozenset(
    {"vrrp_instance", "vrrp_sync_group", "virtual_server", "vrrp_instance/authentication"}
)
"""What these blocks miss is said by rules, which know more than the table."""
_MISSED_ONCE = frozenset({"bfd_instance", "BFD_CHECK"})
"""Of these keepalived says nothing more when the statement is there but refused."""
_AWAITED, _NO_SKIP = -1, 0
_JUDGED_LATER = frozenset({"real_server"})
"""A second one is found after reading."""
_REPEATED = frozenset({"virtual_server/real_server"})
"""Blocks of which a configuration has thousands with the same body, which is then read once."""
_ADDED_UP = "global_defs"
"""Several blocks of this kind are one for keepalived."""
_IPV4, _IPV6 = ("inet",), ("inet6",)
_MOST_SIZES = 8


class Structure:
    """Reads lines into sections and reports what is wrong with them one by one.

    With `fragment_of` the lines are the inside of a block of that kind.

    `is_sound` says afterwards that all processes of keepalived see the same blocks.
    """

    def __init__(
        self,
        statements: Statements,
        report: Report,
        owner: str | None = None,
        fragment_of: Block | None = None,
    ) -> None:
        self.statements = statements
        self.report = report
        self.owner = owner
        self.is_sound = True
        self.refused: set[int] = set()
        self._plain: dict[str, set[Words]] = {}
        self._seen: dict[Words, Line] = {}
        block = statements.dialect.root if fragment_of is None else fragment_of
        self.root = Section(block, None, self.refused)
        outermost = self._frame(self.root, is_value=block.entry is not None)
        outermost.needs_brace = False
        self._frames = [outermost]
        self._skip = _NO_SKIP
        self._opened: list[Line] = []
        self._last: Line | None = None
        self._noted = 0
        self._wrong: tuple[Section, Line] | None = None
        self._bodies: dict[str, dict[int, dict[tuple[Words, ...], Section]]] = {}
        self._words: list[Words] = []
        self._lines: Sequence[Line] = ()
        self._position = 0

    def read(self, lines: Sequence[Line]) -> Section:
        """The outermost level of `lines`."""
        self._follow(lines, 0, len(lines))
        self._finish()
        return self.root

    def _follow(self, lines: Sequence[Line], position: int, end: int) -> None:
        """Take the lines from `position` up to `end`."""
        words_of = self._words = [line.words for line in lines]
        self._lines = lines
        frame = self._frames[-1]
        plain: set[Words] | frozenset[Words] = _NOTHING if frame.needs_brace else frame.plain
        append = frame.section.items.append
        while position < end:
            words = words_of[position]
            line = lines[position]
            position += 1
            if words in plain:
                append(line)
                continue
            if words == _OPENING:
                self._opened.append(self._before(line))
            elif words == _CLOSING:
                self._count_closing(line)
            self._position = position
            self._step(line, words)
            position = self._position
            frame = self._frames[-1]
            self._last, self._noted = line, len(frame.section.items)
            is_ready = self._skip == _NO_SKIP and not frame.needs_brace
            plain = frame.plain if is_ready else _NOTHING
            append = frame.section.items.append

    # Blocks like others before.

    def _is_like_another(self, section: Section) -> bool:
        """Whether the lines from here on are the body of a block before; they are passed then."""
        words_of, start = self._words, self._position
        for size, known in self._bodies.get(section.block.path, {}).items():
            original = known.get(_body_key(section, words_of[start : start + size]))
            if original is not None:
                section.items = original.items
                section.like = original
                section.position = start
                self._position = start + size
                section.close = self._lines[start + size - 1]
                return True
        return False

    def _remember(self, frame: Frame) -> None:
        """Keep the body of a block in which nothing is wrong."""
        section = frame.section
        if frame.count != self.report.count or not self.is_sound:
            return
        sizes = self._bodies.setdefault(section.block.path, {})
        size = self._position - frame.start
        known = sizes.get(size)
        if known is None:
            if len(sizes) == _MOST_SIZES:
                return
            known = sizes[size] = {}
        known[_body_key(section, self._words[frame.start : self._position])] = section

    def own(self, section: Section) -> None:
        """Give a block that is like another one before its own lines."""
        original = section.like
        if original is None:
            return
        section.items = []
        section.like = None
        other = Structure(self.statements, self.report, self.owner)
        other.refused = self.refused
        other._frames.append(other._frame(section, is_value=False))
        start = section.position
        size = next(
            size
            for size, known in self._bodies[section.block.path].items()
            if known.get(_body_key(section, self._words[start : start + size])) is original
        )
        other._follow(self._lines, start, start + size)

    def _frame(self, section: Section, *, is_value: bool) -> Frame:
        plain = self._plain.setdefault(section.block.path, set())
        frame = Frame(section, plain, is_value=is_value)
        if section.block.path == _ADDED_UP:
            frame.seen = self._seen
        return frame

    def _before(self, line: Line) -> Line:
        """The statement that an opening brace belongs to: the one before it."""
        items = self._frames[-1].section.items
        if len(items) > self._noted and not isinstance(items[-1], Section):
            return items[-1]
        return self._last or line

    def _count_closing(self, line: Line) -> None:
        if self._opened:
            self._opened.pop()
            return
        self.is_sound = False
        hint = "remove it"
        if self._wrong is not None:
            closed, at = self._wrong
            hint = f"the '}}' in line {at.number} closed {closed.block.keyword} already"
        problem = Problem(kind.EXTRA_CLOSING_BRACE, -1, "'}' that closes nothing", hint)
        self.report.add(line, problem)

    # One line.

    def _step(self, line: Line, words: Words) -> None:
        frame = self._frames[-1]
        if frame.is_value:
            self._step_in_values(frame, line, words)
            return
        if self._skip == _AWAITED:
            if words == _OPENING:
                self._skip = 1
                frame.needs_brace = False
                return
            self._skip = _NO_SKIP
        if self._skip:
            self._step_skipped(frame, line, words)
            return
        is_inner = len(self._frames) > 1
        if frame.needs_brace:
            frame.needs_brace = False
            if words == _OPENING and is_inner:
                return
            self._missing_brace(line, frame)
        elif words == _OPENING:
            self._unexpected_brace(line)
            return
        if words == _CLOSING and is_inner:
            self._close(frame, line)
            return
        self._statement(frame, line, words)

    def _step_in_values(self, frame: Frame, line: Line, words: Words) -> None:
        section = frame.section
        if frame.needs_brace:
            frame.needs_brace = False
            if words == _OPENING:
                return
            self.is_sound = False
            text = f"'{{' is missing behind {section.block.keyword}"
            hint = "every line up to the next '}' is read as one of its entries"
            assert section.header is not None
            for word in section.header.words[1:2]:
                hint = f"put {word} between '{{' and '}}'; as it stands {hint}"
            self.report.add(section.header, Problem(kind.MISSING_OPENING_BRACE, -1, text, hint))
        if words == _CLOSING:
            self._close(frame, line)
            return
        judgement = self.statements.judge(section.block, words)
        section.items.append(line)
        if judgement.is_plain:
            frame.plain.add(words)
            return
        if words == _OPENING:
            self.is_sound = False
            before = self._last
            if (
                before is not None
                and id(before) in self.refused
                and before.place()[:2] == line.place()[:2]
            ):
                # the statement of a block: one word is enough to say so
                self.refused.add(id(line))
                return
        self._tell(line, judgement)

    def _step_skipped(self, frame: Frame, line: Line, words: Words) -> None:
        if words == _OPENING:
            self._skip += 1
        elif words == _CLOSING:
            self._skip -= 1
            if self._skip == _NO_SKIP and len(self._frames) > 1:
                self._close(frame, line)

    def _statement(self, frame: Frame, line: Line, words: Words) -> None:
        block = frame.section.block
        judgement = self.statements.judge(block, words)
        if judgement.is_plain and (block.path or self._is_read(judgement.keyword)):
            frame.plain.add(words)
            frame.section.items.append(line)
            return
        keyword = judgement.keyword
        if keyword is None:
            self._tell_unknown(line, judgement)
            return
        if not block.path and not self._is_read(keyword):
            self._skip = _AWAITED
            return
        self._tell(line, judgement)
        is_refused = judgement.is_refused or self._is_again(frame, line, keyword)
        if keyword.after is not None and not frame.section.has(keyword.after):
            text = f"{words[0]} counts only below {keyword.after}"
            self.report.add(line, Problem(kind.NEEDS_EARLIER_STATEMENT, -1, text))
            is_refused = True
        if is_refused:
            self.refused.add(id(line))
            is_set = keyword.name == "weight" and all(p.word > 0 for p in judgement.problems)
            if is_set or keyword.name == "use_ipvlan":
                # it counts, though what follows is refused
                frame.seen.setdefault((keyword.name,), line)
        if judgement.opens is None:
            frame.section.items.append(line)
        else:
            self._open(frame, line, judgement.opens, is_refused=is_refused)

    def _open(self, frame: Frame, line: Line, block: Block, *, is_refused: bool) -> None:
        section = Section(block, line, self.refused)
        is_value = block.entry is not None
        is_skipped = is_refused and block.keyword in SKIPPED_WHEN_REFUSED
        if is_skipped:
            self._skip = _AWAITED
            if is_value:
                # keepalived loses the count here: the skipped block's end closes the one around it
                self.is_sound = False
                return
        frame.section.items.append(section)
        is_repeated = block.path in _REPEATED and not is_skipped
        if is_repeated and self._is_like_another(section):
            return
        inner = self._frame(section, is_value=is_value)
        inner.is_skipped = is_skipped
        self._frames.append(inner)
        if is_repeated:
            inner.start = self._position
            inner.count = self.report.count

    def _close(self, frame: Frame, line: Line) -> None:
        section = frame.section
        section.close = line
        self._frames.pop()
        if frame.has_stray:
            self._wrong = section, line
        if frame.is_skipped:
            outer = self._frames[-1].section
            if outer.items and outer.items[-1] is section:
                outer.items.pop()
            return
        if frame.start >= 0:
            self._remember(frame)
        self._tell_end(frame, line)

    def _tell_end(self, frame: Frame, line: Line) -> None:
        """What keepalived says at the end of a block, which is `line`."""
        section, block = frame.section, frame.section.block
        if frame.is_value:
            if block.empty == "reported" and not section.items:
                text = f"{block.keyword} is empty"
                self.report.add(line, Problem(kind.EMPTY_BLOCK, -1, text, "fill it or remove it"))
        elif block.required and block.path not in _SAID_AFTER_READING:
            self._tell_missing(section, line)

    def _finish(self) -> None:
        """The end of the file: braces that are still open."""
        for frame in reversed(self._frames):
            header = frame.section.header
            if frame.is_skipped:
                self.root.items = [item for item in self.root.items if item is not frame.section]
            elif header is not None:
                self._tell_end(frame, header)
        for header in self._opened:
            self.is_sound = False
            text = f"{header.words[0]} is not closed before the end of the file"
            self.report.add(header, Problem(kind.UNCLOSED_BLOCK, -1, text, "add a '}'"))

    # What is to be said.

    def _is_read(self, keyword: Keyword | None) -> bool:
        """Whether the process that is followed reads a keyword of the outermost level."""
        if self.owner is None or keyword is None:
            return True
        if keyword.opens is None:
            return self.owner == "parent"
        return self.owner in self.statements.dialect.blocks[keyword.opens].read_by

    def _is_again(self, frame: Frame, line: Line, keyword: Keyword) -> bool:
        """Report a statement that was there before; whether it is refused."""
        if keyword.again not in ("refused", "reported") or keyword.name in _JUDGED_LATER:
            return False
        is_named = keyword.opens is not None and bool(keyword.args)
        key = (keyword.name, *line.words[1:2]) if is_named else (keyword.name,)
        first = frame.seen.get(key)
        if first is None:
            if not is_unset(frame.section.block, line.words):
                frame.seen[key] = line
            return False
        is_refused = keyword.again == "refused"
        counts = "the first one counts" if is_refused else "this one counts"
        text = f"a second {' '.join(key)}: {counts}"
        found = kind.DUPLICATE_STATEMENT if is_refused else kind.REPLACED_STATEMENT
        self.report.add(line, Problem(found, -1, text), (first, "the first one"))
        return is_refused

    def _tell(self, line: Line, judgement: Judgement) -> None:
        for problem in judgement.problems:
            self.report.add(line, problem)
        if judgement.is_refused:
            self.refused.add(id(line))

    def _tell_unknown(self, line: Line, judgement: Judgement) -> None:
        problem = judgement.problems[0]
        if line.words == _CLOSING:
            self.is_sound = False
            self.report.add(line, Problem(kind.EXTRA_CLOSING_BRACE, -1, "'}' that closes nothing"))
            return
        if self._wrong is not None:
            closed, at = self._wrong
            if line.words[0] in closed.block.keywords:
                problem = outside(line, closed, at)
        elif len(self._frames) > 1 and line.words[0] in self.root.block.keywords:
            problem = self._not_closed(line, problem)
        self.report.add(line, problem)

    def _not_closed(self, line: Line, problem: Problem) -> Problem:
        """A block of the outermost level inside another one."""
        header = self._frames[-1].section.header
        assert header is not None
        inside = " ".join(header.words[:2])
        text = f"{line.words[0]} inside {inside} (line {header.number}), which is not closed"
        return problem._replace(message=text, hint="add a '}' above")

    def _missing_brace(self, line: Line, frame: Frame) -> None:
        self.is_sound = False
        keyword = frame.section.block.keyword
        text = f"'{{' is missing behind {keyword}"
        header = frame.section.header
        related = (header, f"{keyword} begins here") if header is not None else None
        self.report.add(line, Problem(kind.MISSING_OPENING_BRACE, -1, text), related)

    def _unexpected_brace(self, line: Line) -> None:
        self.is_sound = False
        self._frames[-1].has_stray = True
        closes = self._frames[-1].section.header
        what = f"closes {closes.words[0]}" if closes is not None else "is one too many"
        text = f"'{{' opens no block here, so the '}}' that belongs to it {what}"
        self.report.add(line, Problem(kind.UNEXPECTED_OPENING_BRACE, -1, text))

    def _tell_missing(self, section: Section, line: Line) -> None:
        block = section.block
        for name in block.required:
            keyword = block.keywords[name]
            if not self.statements.is_known(block, keyword) or has_statement(section, keyword):
                continue
            if block.keyword in _MISSED_ONCE and section.written(name, *keyword.aliases):
                continue
            text = f"{block.keyword} without {name}"
            related = (section.header, "begins here") if section.header is not None else None
            self.report.add(line, Problem(kind.MISSING_STATEMENT, -1, text), related)


def _body_key(section: Section, words: Sequence[Words]) -> tuple[Words, ...]:
    """What makes two bodies the same: their words, and the family of the block's address, which
    some statements inside must be of."""
    return (_IPV6 if ":" in section.name else _IPV4, *words)
