"""What a virtual_server comes to, as keepalived 2.2.7 works it out after reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.schema.composite_address import cut_address

if TYPE_CHECKING:
    from drctl.lint.section import Section
    from drctl.syntax.expanded import Line

_FALSE = frozenset({"off", "false", "no"})


class Server:
    """A real server, or the sorry server when `section` is None; `line` is its header. `weight` is
    None where the service's counts, `method` where nothing sets one."""

    __slots__ = ("address", "line", "method", "port", "section", "weight")

    def __init__(self, line: Line, section: Section | None, method: str | None) -> None:
        self.line = line
        self.section = section
        words = line.words
        address = words[1] if len(words) > 1 else ""
        self.address = cut_address(address) if "-" in address or "/" in address else address
        self.port = port_of(words[2]) if len(words) > 2 else 0
        self.method = method
        self.weight: int | None = None


class Service:
    """A virtual service with the servers that count. `is_mark` says that it is a firewall mark,
    `group` is the name of its virtual_server_group, `port` is 0 for all ports."""

    __slots__ = ("group", "is_mark", "name", "port", "section", "servers", "sorry")

    def __init__(self, section: Section, name: str) -> None:
        self.section = section
        self.name = name
        self.servers: list[Server] = []
        self.sorry: Server | None = None
        words = section.words
        first, second = words[0] if words else "", words[1] if len(words) > 1 else ""
        self.is_mark = first == "fwmark"
        self.group = second if first == "group" and second else None
        self.port = port_of(second) if first not in ("group", "fwmark") else 0

    @property
    def header(self) -> Line:
        """The line with its address."""
        assert self.section.header is not None
        return self.section.header

    @property
    def method(self) -> str | None:
        """The forwarding method, None when it is not set."""
        line = self.section.last("lb_kind", "lvs_method")
        return line.words[1] if line is not None else None

    @property
    def is_persistent(self) -> bool:
        """Whether it has persistence."""
        return self.section.has("persistence_timeout", "persistence_granularity")

    def number(self, keyword: str, default: int) -> int:
        """The value of a number."""
        line = self.section.last(keyword)
        return int(line.words[1] or 0) if line is not None and len(line.words) > 1 else default


def port_of(word: str) -> int:
    """A port as a number; 0 when it is none."""
    return int(word) if word.isascii() and word.isdigit() else 0


def family_of(word: str) -> int:
    """4 or 6 for a word that was accepted as an address."""
    return 6 if ":" in word else 4


def is_on(section: Section, keyword: str) -> bool | None:
    """The value of a switch; None when it is not set."""
    line = section.last(keyword)
    if line is None:
        return None
    return len(line.words) < 2 or line.words[1] not in _FALSE
