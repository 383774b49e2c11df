"""What one physical line says otherwise than it looks: quotes and comments in odd places."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from drctl.syntax import expand_kind as kind
from drctl.syntax.expand_line import visible
from drctl.syntax.expand_script import ESCAPED_ONCE, SPLIT_ONCE, Version, is_command, line_words
from drctl.syntax.expand_text import Clean, ends_in_escape, split_braces, word_ranges
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expand_kind import Kind

_QUOTE = re.compile(r'\\.|"')
_NAME = re.compile(r"\$\{\w+\}")
SCRIPT_KEYWORDS = frozenset(
    {
        *("script", "misc_path", "regex", "quorum_up", "quorum_down", "notify", "notify_up"),
        *("notify_down", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
        *("notify_deleted", "notify_master_rx_lower_pri", "startup_script", "shutdown_script"),
        *("notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script"),
    }
)
"""Keywords whose words keepalived splits by rules of their own."""
_REPORTED_COMMANDS = frozenset(
    {"script", "misc_path", "regex", "startup_script", "shutdown_script"},
)
"""Of these keepalived says, or shows by crashing, that their last escape has no end; the others it
drops without a word."""
_MAY_TOUCH = frozenset(" \t\f\v\r{}\"'")


class Remark(NamedTuple):
    """A finding about the columns (from 0, half-open) of a line."""

    kind: Kind
    begin: int
    end: int
    message: str
    hint: str = ""
    severity: Severity | None = None


def remarks(
    line: str, clean: Clean, version: Version, *, is_continued: bool = False
) -> tuple[Remark, ...]:
    """The remarks on `line`, of which `clean` is what remains without the comment; with
    `is_continued` the backslash at its end leads to the next line of a definition."""
    found = []
    text = clean.text[:-1].rstrip() if is_continued and clean.is_continued else clean.text
    if clean.is_open or (text.count('"') % 2 and not _is_split_anew(text, version)):
        found.append(_unterminated(line, text, is_open=clean.is_open))
    elif '"' in text and (glued := _glued(line, text)):
        found.append(glued)
    if not found and (script := _script(line, text, version)):
        found.append(script)
    at = clean.comment
    if at > 0 and line[at - 1] not in _MAY_TOUCH:
        begin = at
        while begin > 0 and line[begin - 1] not in _MAY_TOUCH:
            begin -= 1
        word = line[begin:at]
        message = f"'{line[at]}' starts a comment in the middle of a word: {visible(word)} is left"
        found.append(
            Remark(kind.COMMENT_IN_WORD, begin, at + 1, message, "put the value in double quotes")
        )
    found.extend(_escape(line, at) for at in clean.escapes[: kind.MOST_FINDINGS])
    return tuple(found)


def _unterminated(line: str, text: str, *, is_open: bool) -> Remark:
    if is_open:
        quotes = [found.start() for found in _QUOTE.finditer(line) if found[0] == '"']
    else:
        quotes = [at for at, sign in enumerate(line) if sign == '"'][: text.count('"')]
    begin = quotes[-1] if quotes else 0
    shown = visible(line[begin:], 40)
    message = f"quote without end: {shown} is dropped, and what follows on the line is no comment"
    if is_open and text.count('"') % 2 == 0:
        message = f"quote without end: {shown}; the words end at a quote with a backslash too"
    elif not is_open:
        message = (
            f"quote without end: {shown} is dropped; a backslash before a quote does not save it"
        )
    return Remark(
        kind.UNTERMINATED_QUOTE, begin, len(line.rstrip()), message, "close the quote on this line"
    )


def _is_split_anew(text: str, version: Version) -> bool:
    """Whether the odd quote is behind the first two words of a script line: then keepalived says
    nothing of it (from 2.3.2 on), since the line is split by other rules."""
    if version < ESCAPED_ONCE:
        return False
    for start, end in split_braces(text):
        part = text[start:end]
        if part.count('"') % 2 == 0:
            continue
        ranges = word_ranges(part)
        keyword = part[slice(*ranges[0])].strip('"') if len(ranges) > 1 else SPLIT_ONCE
        if keyword == SPLIT_ONCE or keyword not in SCRIPT_KEYWORDS:
            return False
    return True


def _script(line: str, text: str, version: Version) -> Remark | None:
    """A command whose own quotes, single ones too, or last escape have no end."""
    if text.isalnum():
        return None
    offset = line.find(text)
    if offset < 0:
        # the backslash that ends the line stands apart
        offset = line.find(text.rstrip("\\")) if text.endswith("\\") else -1
        if offset < 0:
            return None
    # the braces of a name divide no line
    named = _NAME.sub(lambda found: "n" * len(found[0]), text)
    for start, end in split_braces(named):
        part = named[start:end]
        ranges = word_ranges(part)
        if len(ranges) < 2 or part[slice(*ranges[0])].strip('"') not in SCRIPT_KEYWORDS:
            continue
        if is_command(part, version):
            continue
        begin, stop = offset + start + ranges[1][0], offset + start + end
        stop = len(line.rstrip()) if end == len(text) else stop
        shown = visible(text[start + ranges[1][0] : end], 40)
        what = kind.UNTERMINATED_QUOTE
        keyword = part[slice(*ranges[0])].strip('"')
        if keyword in _REPORTED_COMMANDS or not _has_open_escape(part, version):
            message = f"{shown} is no command: a quote or an escape in it has no end"
            hint = "close it on this line: keepalived may crash"
            return Remark(what, begin, stop, message, hint)
        message = f"{shown} is dropped without a word: the backslash at its end escapes nothing"
        hint = "remove the backslash"
        return Remark(what, begin, stop, message, hint, Severity.WARNING)
    return None


def _has_open_escape(text: str, version: Version) -> bool:
    """Whether a script line, or the command in it, ends in the middle of an escape."""
    if ends_in_escape(text):
        return True
    words = line_words(text, version)
    return words is not None and len(words) > 1 and ends_in_escape(words[1])


def _glued(line: str, text: str) -> Remark | None:
    """Words that a quote separates without a blank."""
    offset = line.find(text)
    if offset < 0:
        return None
    for start, end in split_braces(text):
        part = text[start:end]
        ranges = word_ranges(part)
        if ranges and part[slice(*ranges[0])].strip('"') in SCRIPT_KEYWORDS:
            continue
        for (first, first_end), (second, second_end) in pairwise(ranges):
            if first_end == second:
                begin, stop = offset + start + first, offset + start + second_end
                one, other = part[first:first_end], part[second:second_end]
                message = f"{visible(one)} and {visible(other)} are two words: a quote ends a word"
                hint = "quote the whole value"
                return Remark(kind.GLUED_QUOTE, begin, stop, message, hint)
    return None


def _escape(line: str, at: int) -> Remark:
    sign = line[at + 1]
    if not line[:at].strip():
        if sign == "!":
            message = "a line that begins with '\\!' crashes keepalived"
            return Remark(kind.CRASHING_LINE, at, at + 2, message, "remove it")
        message = "a line that begins with '\\#' is dropped and makes later messages name no file"
        return Remark(kind.ESCAPED_COMMENT, at, at + 2, message, "begin the line with '#'")
    message = (
        f"'\\{sign}' counts only in global_defs; elsewhere '{sign}' starts a comment all the same"
    )
    hint = "put the value in double quotes, without the backslash"
    return Remark(kind.ESCAPED_COMMENT, at, at + 2, message, hint)
