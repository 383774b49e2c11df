"""What a vrrp_instance says in conflict with itself: keepalived takes the first and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.instance import Instance, address_of, taken
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.schema.composite_address import cut_address, family
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

MIXED_FAMILIES = Kind("DR301", "mixed-families", Severity.ERROR)
VERSION_CONFLICT = Kind("DR302", "version-conflict", Severity.ERROR)
STATE_IGNORED = Kind("DR303", "state-ignored", Severity.ERROR)
LOOPBACK = Kind("DR304", "loopback-interface", Severity.ERROR)
VRF_AND_INTERFACE = Kind("DR305", "vrf-and-interface", Severity.ERROR)
SYNC_DAEMON_TAKEN = Kind("DR313", "sync-daemon-set-already", Severity.ERROR)
VMAC_NAME_TAKEN = Kind("DR306", "device-name-taken", Severity.ERROR)

_IPVLAN_OPTIONS = frozenset({"bridge", "private", "vepa"})
_COUNTED_ANYWAY = frozenset({"use_vmac", "use_ipvlan"})
_WITH_ADDRESS = frozenset({"mcast_src_ip", "unicast_src_ip", "mcast_dst_ip"})


@at_end("vrrp_instance")
def read_instance(section: Section, world: World) -> None:
    """Note the instance, going through its statements in order: the first address makes the
    family."""
    reader = _Reader(Instance(section, world), world)
    for item in section.items:
        if isinstance(item, Section):
            reader.block(item)
        elif id(item) not in section.refused or item.words[0] in _COUNTED_ANYWAY:
            reader.statement(item)
    world.instances.setdefault(section.name, reader.instance)


class _Reader:
    def __init__(self, instance: Instance, world: World) -> None:
        self.instance = instance
        self.world = world
        self.has_interface = False
        self.is_master = False
        self.device: Line | None = None
        self.mac: Line | None = None
        self.told: Line | None = None

    def block(self, section: Section) -> None:
        instance = self.instance
        keyword = section.block.keyword
        if keyword == "virtual_ipaddress":
            instance.vips += self._of_family(section, "an address")
        elif keyword == "unicast_peer":
            instance.peers += self._of_family(section, "a peer")
        elif keyword == "virtual_ipaddress_excluded":
            instance.extra_vips += taken(section)

    def _of_family(self, section: Section, what: str) -> list[Line]:
        kept = []
        for line in taken(section):
            if self._fits(line, 0, address_of(line), what):
                kept.append(line)
            else:
                section.drop(line)
        return kept

    def _fits(self, line: Line, word: int, address: str, what: str) -> bool:
        """Whether an address is of the instance's family, which it tells if nothing has."""
        found = family(address) or 0
        own = self.instance.family = self.instance.family or found
        if found == own:
            return True
        text = f"{address}: {what} of IPv{found} in an instance of IPv{own} is dropped"
        hint = "give each family an instance of its own"
        self._say(line, MIXED_FAMILIES, word - 1, text, hint)
        return False

    def _say(self, line: Line, kind: Kind, word: int, text: str, hint: str = "") -> None:
        self.world.report.add(line, Problem(kind, word, text, hint))
        self.instance.section.refused.add(id(line))

    def statement(self, line: Line) -> None:
        words = line.words
        keyword = words[0]
        if keyword in _WITH_ADDRESS and len(words) > 1:
            address = cut_address(words[1])
            if self._fits(line, 1, address, keyword) and keyword != "mcast_dst_ip":
                self.instance.source = address
        elif keyword == "use_ipvlan":
            self._names(line)
            for position, word in enumerate(words[1:], 1):
                address = word.partition("/")[0]
                if family(address) and self._fits(line, position, address, keyword):
                    self.instance.source = self.instance.source or address
        elif keyword == "native_ipv6":
            self._native(line)
        elif keyword == "version":
            self._version(line)
        elif keyword == "state":
            self._state(line)
        elif keyword in ("interface", "vrf"):
            self._device(line)
        elif keyword == "use_vmac":
            self._names(line)
        elif keyword == "lvs_sync_daemon_interface":
            self._sync_daemon(line)

    def _native(self, line: Line) -> None:
        if self.instance.family == 4:
            self._say(line, MIXED_FAMILIES, -1, "native_ipv6 in an instance of IPv4 is ignored")
            return
        self.instance.family = 6
        self.instance.version = 3

    def _version(self, line: Line) -> None:
        version, known = int(line.words[1] or "0"), self.instance.version
        if known and known != version:
            text = f"version {version} is ignored, the instance has version {known}"
        elif version == 2 and self.instance.family == 6:
            text = "version 2 is ignored: IPv6 needs version 3"
        else:
            self.instance.version = version
            return
        self._say(line, VERSION_CONFLICT, 0, text)

    def _state(self, line: Line) -> None:
        is_master = line.words[1:2] == ("MASTER",)
        if self.is_master and not is_master:
            self._say(line, STATE_IGNORED, 0, "BACKUP is ignored: the state is MASTER already")
        self.is_master = self.is_master or is_master

    def _sync_daemon(self, line: Line) -> None:
        world = self.world
        written = [block.written("lvs_sync_daemon") for block in world.globals]
        first = world.sync_daemon = world.sync_daemon or next(filter(None, written), line)
        if first is not line:
            text = f"{line.words[1]} is ignored: the interface is set already"
            problem = Problem(SYNC_DAEMON_TAKEN, 0, text, "remove the line")
            world.report.add(line, problem, (first, "the first one, which counts"))

    def _device(self, line: Line) -> None:
        keyword, device = line.words[:2]
        if device == "lo":
            self._say(line, LOOPBACK, 0, "lo is ignored: VRRP cannot run on a loopback device")
            if keyword == "interface":
                # nor does the one above count any more
                section = self.instance.section
                section.refused.update(map(id, section.statements("interface")))
        elif keyword == "interface":
            self.has_interface = True
        elif self.has_interface:
            text = "vrf is ignored below interface"
            self._say(line, VRF_AND_INTERFACE, -1, text, "remove one of them")
        elif self.instance.section.first("vrf") is not line:
            self._say(line, VRF_AND_INTERFACE, -1, "a second vrf is ignored")

    def _names(self, line: Line) -> None:
        """The name that use_vmac or use_ipvlan gives a device: one for the instance, and of no
        other instance."""
        is_vmac = line.words[0] == "use_vmac"
        for position, word in enumerate(line.words[1:3] if is_vmac else line.words[1:]):
            if is_vmac and ":" in word:
                self._mac(line, position, word)
                continue
            if not is_vmac and _is_option(word):
                continue
            if self.device is line:
                # a second name in one statement, which the table knows
                return
            if self.device is not None:
                text = f"{word} is ignored: the instance has a device of its own already"
                self._warn_name(line, position, text, self.device)
                return
            taken_by = next(
                (other for other in self.world.instances.values() if word == other.own_device), None
            )
            if taken_by is not None:
                text = f"{word} is the device of {taken_by.name} already: the name is ignored"
                self._warn_name(line, position, text, taken_by.header)
                continue
            self.instance.own_device = word
            self.device = line

    def _mac(self, line: Line, position: int, word: str) -> None:
        """One MAC address for the instance, however many statements there are."""
        if self.mac is None:
            self.mac = line
        elif self.mac is not line:
            text = f"{word} is ignored: the instance has a MAC address of its own already"
            self._warn_name(line, position, text, self.mac)

    def _warn_name(self, line: Line, position: int, text: str, other: Line) -> None:
        if self.told is line:
            return
        self.told = line
        problem = Problem(VMAC_NAME_TAKEN, position, text)
        self.world.report.add(line, problem, (other, "named here"))


def _is_option(word: str) -> bool:
    return word in _IPVLAN_OPTIONS or family(word.partition("/")[0]) is not None
