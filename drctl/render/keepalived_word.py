"""Single values in keepalived's syntax (2.2.7), and what cannot be written in it.

keepalived knows no escapes: double quotes protect blanks, `#`, `!` and braces, and nothing protects
a double quote. Script lines are read a second time with escapes, so what stands between the outer
quotes of a command is printed as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from drctl.errors import UnsafeValue

# Blanks are more than ASCII's here: a word with U+00A0 in it is quoted, which does no harm.
# A word that starts with `@` would be a condition at the start of a line, which quotes prevent.
_BARE = re.compile(r"""(?!@)(?:\$\{[^{}\s"]*\}|[^\s"#!{}])+""")
_ODD = re.compile(r"[^\w.,:;@/+()\[\] -]")
_SPECIAL = re.compile(r"[#!{}]")


def argument(value: object) -> str:
    """`value` as one argument: bare when it can be, else in double quotes.

    A use of a definition (`$NAME`, `${NAME}`) stays bare, since keepalived does not look for
    `$NAME` between quotes. Raises UnsafeValue for a double quote.
    """
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    if '"' in text:
        raise UnsafeValue(f"{text!r} holds a double quote, which keepalived.conf cannot say")
    return f'"{text}"'


def command(value: object) -> str:
    """A command line as the second word of a script line, quoted as a whole.

    keepalived takes one level of escapes away when it reads the word, and splits what is left into
    arguments; so `value` is the command as it stands after that. Its comments and braces are found
    before any escape is looked at, by counting quotes: raises UnsafeValue where that would cut the
    command.
    """
    text = str(value)
    written = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    parts = written.split('"')
    if len(parts) % 2 == 0:
        raise UnsafeValue(f"command {text!r} holds an odd number of double quotes")
    if any(_SPECIAL.search(outside) for outside in parts[::2]):
        raise UnsafeValue(
            f"command {text!r} holds one of # ! {{ }} between double quotes, where keepalived "
            "cuts it; put it into a script"
        )
    return written


def seconds(milliseconds: int) -> str:
    """A duration as decimal seconds, without needless zeros."""
    return decimal(milliseconds, 3)


def decimal(value: int, places: int) -> str:
    """A number whose last `places` digits are decimals, without needless zeros."""
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0") if rest else str(whole)


def comment(value: object) -> str:
    """`value` for a comment: odd characters become `_`, so that it cannot end its line or look
    like a template."""
    return _ODD.sub("_", str(value))


def runs(items: Iterable[Any], attribute: str) -> Iterator[tuple[Any, list[Any]]]:
    """Neighbours with the same value of `attribute`, in order: one block each."""
    run: list[Any] = []
    for item in items:
        if run and getattr(run[0], attribute) != getattr(item, attribute):
            yield getattr(run[0], attribute), run
            run = []
        run.append(item)
    if run:
        yield getattr(run[0], attribute), run
