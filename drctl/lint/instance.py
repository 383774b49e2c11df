"""What a vrrp_instance comes to, as keepalived 2.2.7 works it out after reading.

Values that keepalived refuses are not counted. A bad `state` is BACKUP, a bad `priority` 100.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drctl.lint.section import Section
from drctl.schema.composite import TRUE_OR_FALSE
from drctl.schema.composite_address import LONGEST_NAME, cut_address, family

if TYPE_CHECKING:
    from drctl.lint.world import World
    from drctl.syntax.expanded import Line

OWNER = 255
DEFAULT_PRIORITY = 100
_UNICAST = (
    *("unicast_src_ip", "check_unicast_src", "old_unicast_checksum", "unicast_fault_no_peer"),
)
_FALSE = frozenset({"off", "false", "no"})
assert _FALSE < TRUE_OR_FALSE


class Instance:
    """One VRRP instance. `family` is 4, 6 or 0 while nothing has told it; `vips`, `extra_vips` and
    `peers` are the lines that count; `own_device` is the name of the device made for it."""

    __slots__ = (
        *("extra_vips", "family", "own_device", "peers", "section", "source", "version"),
        *("vips", "world"),
    )

    def __init__(self, section: Section, world: World) -> None:
        self.section = section
        self.world = world
        self.family = 0
        self.version = 0
        self.vips: list[Line] = []
        self.extra_vips: list[Line] = []
        self.peers: list[Line] = []
        self.source: str | None = None
        self.own_device: str | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.section.name

    @property
    def header(self) -> Line:
        """The line with its name."""
        assert self.section.header is not None
        return self.section.header

    def line(self, *keywords: str) -> Line | None:
        """The statement that counts among those with one of these keywords."""
        return self.section.last(*keywords)

    def at(self, *keywords: str) -> Line:
        """That statement, or the header."""
        return self.section.last(*keywords) or self.header

    def word(self, keyword: str) -> str | None:
        """The first word of the statement that counts."""
        line = self.section.last(keyword)
        return line.words[1] if line is not None and len(line.words) > 1 else None

    def entries(self, keyword: str) -> list[Line]:
        """The lines in the value blocks that `keyword` opens."""
        return [line for block in self.section.blocks(keyword) for line in taken(block)]

    def is_on(self, keyword: str) -> bool | None:
        """The value of a switch; None when it is not set."""
        line = self.section.last(keyword)
        if line is None:
            return None
        return len(line.words) < 2 or line.words[1] not in _FALSE

    @property
    def is_strict(self) -> bool:
        """Whether it runs by the RFC's letter."""
        own = self.is_on("strict_mode")
        if own is not None:
            return own
        line = self.world.setting("vrrp_strict")
        if line is None:
            return False
        is_newer = self.world.version >= (2, 3, 0)
        return not (is_newer and len(line.words) > 1 and line.words[1] in _FALSE)

    @property
    def vrrp_version(self) -> int:
        """The VRRP version in use."""
        if self.version:
            return 3 if self.version == 2 and self.family == 6 and self.is_strict else self.version
        if self.family == 6:
            return 3
        line = self.world.setting("vrrp_version")
        return 3 if line is not None and line.words[1:2] == ("3",) else 2

    @property
    def state_line(self) -> Line | None:
        """The statement that makes the initial state."""
        masters = [line for line in self._states() if line.words[1:2] == ("MASTER",)]
        lines = masters or self._states()
        return lines[-1] if lines else None

    def _states(self) -> list[Line]:
        # a bad state counts as BACKUP
        items = self.section.items
        return [i for i in items if not isinstance(i, Section) and i.words[0] == "state"]

    @property
    def priority(self) -> int:
        """The priority, from the state where it is not written."""
        line = self.section.written("priority")
        if line is None:
            is_master = self.state_line is not None and self.state_line.words[1:2] == ("MASTER",)
            return OWNER if is_master else DEFAULT_PRIORITY
        if id(line) in self.section.refused or len(line.words) < 2:
            return DEFAULT_PRIORITY
        return int(line.words[1] or "0")

    @property
    def is_master(self) -> bool:
        """Whether it begins as master."""
        line = self.state_line
        if line is None:
            return self.priority == OWNER
        is_master = line.words[1:2] == ("MASTER",)
        return (self.priority == OWNER) if self.is_strict else is_master

    @property
    def is_unicast(self) -> bool:
        """Whether it sends to peers."""
        return bool(self.peers)

    @property
    def unicast_line(self) -> Line | None:
        """A statement that speaks of unicast."""
        line = self.section.written(*_UNICAST)
        if line is None:
            blocks = self.section.blocks("unicast_peer")
            return blocks[-1].header if blocks else None
        return line

    @property
    def has_vmac(self) -> bool:
        """Whether it runs on a device of its own with the virtual router's MAC address."""
        return self.section.written("use_vmac") is not None

    @property
    def has_ipvlan(self) -> bool:
        """Whether it runs on an ipvlan device."""
        return self.section.written("use_ipvlan") is not None

    @property
    def device(self) -> str | None:
        """Its interface."""
        return self.word("interface")


_VALUES_OF_VIP = ("dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft")


def taken(section: Section) -> list[Line]:
    """The lines of a value block that keepalived takes, also some that it complains of; not those
    that a rule has refused."""
    counts = _COUNTS.get(section.block.keyword)
    refused, dropped = section.refused, section.dropped
    lines = [item for item in section.items if not isinstance(item, Section)]
    return [
        line
        for line in lines
        if id(line) not in refused
        or (counts is not None and id(line) not in dropped and counts(line.words))
    ]


def _is_vip(words: tuple[str, ...]) -> bool:
    """Whether alloc_ipaddress of keepalived comes to its end."""
    own = family(words[0].partition("/")[0])
    if own is None:
        return False
    position, devices = 1, 0
    while position < len(words):
        option = words[position]
        if option in _VALUES_OF_VIP:
            if position + 1 == len(words):
                return False
            position += 1
            value = words[position]
            devices += option == "dev"
            is_bad_broadcast = own == 6 or (value not in ("+", "-") and family(value) != 4)
            if devices > 1 or (option in ("broadcast", "brd") and is_bad_broadcast):
                return False
            if option == "label" and len(value.encode()) > LONGEST_NAME:
                return False
        position += 1
    return True


def _is_tracked(words: tuple[str, ...]) -> bool:
    """Whether a bad weight is all that is wrong."""
    return len(words) > 2 and words[1] == "weight"


def _is_peer(words: tuple[str, ...]) -> bool:
    return family(cut_address(words[0])) is not None


_COUNTS: dict[str, Callable[[tuple[str, ...]], bool]] = {
    "virtual_ipaddress": _is_vip,
    "virtual_ipaddress_excluded": _is_vip,
    "unicast_peer": _is_peer,
    "track_interface": _is_tracked,
    "track_script": _is_tracked,
    "track_file": _is_tracked,
    "track_process": _is_tracked,
    "track_bfd": _is_tracked,
}


def address_of(line: Line) -> str:
    """The address that a line of a value block begins with, without prefix or range."""
    return cut_address(line.words[0].partition("/")[0])


def family_of(line: Line) -> int:
    """4 or 6, the family of that address; 0 when it is none."""
    return family(address_of(line)) or 0
