"""Lines of a keepalived block that stand for one field each: by far the most lines of a large file,
so they are made here and not by a template's macro."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drctl.render.keepalived_field import BLOCKS, written
from drctl.render.keepalived_word import argument, command, seconds
from drctl.render.trusted import NOTHING, Trusted, refuse_line

_TIMING = (
    ("loop_ms", "delay_loop"),
    ("timeout_ms", "connect_timeout"),
    ("retries", "retry"),
    ("retry_delay_ms", "delay_before_retry"),
    ("warmup_ms", "warmup"),
    ("is_alpha", "alpha"),
    ("logs_failures", "log_all_failures"),
)
_CONNECT = (
    ("address", "connect_ip"),
    ("port", "connect_port"),
    ("bind_address", "bindto"),
    ("bind_port", "bind_port"),
    ("bind_interface", "bind_if"),
    ("mark", "fwmark"),
    *_TIMING,
)


class Lines:
    """Makes `KEYWORD VALUE` of a field of `x`, indented by `i` and with the field's mark; nothing
    when the model does not say. `at` marks a line, see `drctl.render.environment`."""

    __slots__ = ("_at",)

    def __init__(self, at: Callable[..., Trusted]) -> None:
        self._at = at

    def value(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """One argument."""
        value = getattr(x, field)
        if value is None:
            return NOTHING
        return self._line(x, field, keyword, argument(value), i)

    def words(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """Arguments that the field holds with blanks between them."""
        value = getattr(x, field)
        if value is None:
            return NOTHING
        return self._line(x, field, keyword, " ".join(map(argument, value.split(" "))), i)

    def time(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """Milliseconds as seconds."""
        value = getattr(x, field)
        if value is None:
            return NOTHING
        return self._line(x, field, keyword, seconds(value), i)

    def flag(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """The keyword alone, when the field is true."""
        return self._line(x, field, keyword, "", i) if getattr(x, field) else NOTHING

    def switch(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """`on` or `off`."""
        value = getattr(x, field)
        if value is None:
            return NOTHING
        return self._line(x, field, keyword, "on" if value else "off", i)

    def command(self, x: Any, field: str, keyword: str, i: str) -> Trusted:
        """A command line."""
        value = getattr(x, field)
        if value is None:
            return NOTHING
        return self._line(x, field, keyword, command(value), i)

    def block(self, x: Any, name: str, i: str) -> Trusted:
        """All lines of the fields that `drctl.render.keepalived_field` has for a block."""
        lines = []
        for field, keyword, how in BLOCKS[name]:
            said = written(field, getattr(x, field), how)
            if said is not None:
                lines.append(self._line(x, field, keyword, said, i))
        return Trusted("".join(lines))

    def timing(self, x: Any, i: str) -> Trusted:
        """What a service says for all its checks."""
        return self._some(x, _TIMING, i)

    def connect(self, x: Any, i: str) -> Trusted:
        """Where and how a check connects."""
        return self._some(x, _CONNECT, i)

    def _some(self, x: Any, fields: tuple[tuple[str, str], ...], i: str) -> Trusted:
        lines = []
        for field, keyword in fields:
            value = getattr(x, field)
            if value is None:
                continue
            if field.endswith("_ms"):
                written = seconds(value)
            elif isinstance(value, bool):
                written = "on" if value else "off"
            else:
                written = argument(value)
            lines.append(self._line(x, field, keyword, written, i))
        return Trusted("".join(lines))

    def _line(self, x: Any, field: str, keyword: str, written: str, i: str) -> Trusted:
        text = f"{i}{keyword} {refuse_line(written)}" if written else f"{i}{keyword}"
        return Trusted(f"{text}{self._at(x, field)}\n")
