"""Routing policy rules in the manner of ip-rule(8), as keepalived 2.2.7 reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drctl.schema.complaint import Complaint, advice, error
from drctl.schema.composite_number import any_base, c_prefix, unsigned
from drctl.schema.composite_route import DSFIELDS, TABLES, Parts, Reader, Stopped

_MARK = re.compile(r"[ \t]*\+?(0[xX][0-9a-fA-F]+|[0-9]*)(?:/\+?(0[xX][0-9a-fA-F]+|[0-9]*))?")
_PORTS = re.compile(r"[ \t]*[+-]?[0-9]+-[+-]?[0-9]+.*")
_USERS = re.compile(r"[ \t]*[+-]?[0-9]+-[ \t]*[+-]?[0-9]+.*")
_IP_PROTOCOLS = {
    *("ip", "icmp", "igmp", "ggp", "ipencap", "st", "tcp", "egp", "igp", "pup", "udp", "hmp"),
    *("xns-idp", "rdp", "iso-tp4", "dccp", "xtp", "ddp", "idpr-cmtp", "ipv6", "ipv6-route"),
    *("ipv6-frag", "idrp", "rsvp", "gre", "esp", "ah", "skip", "ipv6-icmp", "ipv6-nonxt"),
    *("ipv6-opts", "rspf", "vmtp", "eigrp", "ospf", "ax.25", "ipip", "etherip", "encap", "pim"),
    *("ipcomp", "vrrp", "l2tp", "isis", "sctp", "fc", "mobility-header", "udplite", "mpls-in-ip"),
    *("manet", "hip", "shim6", "wesp", "rohc", "ethernet"),
}
_ACTIONS = {"blackhole", "unreachable", "prohibit"}
_SUPPRESSORS = {"suppress_prefixlength", "sup_pl", "suppress_ifgroup", "sup_group"}


class _Rule(Reader):
    def __init__(self, words: Sequence[str], *, is_static: bool) -> None:
        super().__init__(words)
        self.is_static = is_static
        self.action: str | None = None
        self.priority: float | None = None
        self.target: float | None = None
        self.has_table = self.has_table_option = self.has_device = False
        self.is_untracked = self.has_protocol = self.has_group = False

    def act(self, action: str) -> None:
        """One action per rule."""
        if self.action is not None:
            raise self.drop(f"{action} beside {self.action}")
        self.action = action

    def option(self, word: str) -> None:
        """Reads one option with what belongs to it."""
        if word in {"inet", "inet6"}:
            self.switch_family(word)
        elif word in {"from", "to"}:
            self.agree(self.address(word, has_prefix=True))
        elif word in {"table", "lookup"}:
            name = self.named(word, TABLES, 2**32 - 1)
            if name == "unspec" or c_prefix(name) == 0:
                raise self.drop("there is no table 0")
            self.has_table = True
            self.act("table")
        elif word in {"preference", "order", "priority"}:
            value, wrong = any_base(self.value(word))
            if value is None:
                raise self.drop(f"{word} {wrong}")
            self.priority = value
        elif word in {"tos", "dsfield"}:
            self.named(word, DSFIELDS, 255)
        elif word == "realms":
            self.realms()
            self.has_table_option = True
        elif word in _SUPPRESSORS:
            self._suppress(word)
        elif word in {"dev", "iif", "oif"}:
            self.value(word)
            self.has_device = self.has_device or word != "oif"
        elif word == "track_group" and self.is_static:
            self.has_group = bool(self.value(word))
        elif word not in {"not", "no_track"}:
            self._match(word)
        else:
            self.is_untracked = self.is_untracked or word == "no_track"

    def _suppress(self, word: str) -> None:
        self.has_table_option = True
        if word in {"suppress_ifgroup", "sup_group"}:
            self.named(word, {"default"}, 2**31 - 1)
        else:
            self.number(word, 2**31 - 1)

    def _match(self, word: str) -> None:
        if word == "fwmark":
            text = self.value(word)
            found = _MARK.fullmatch(text)
            parts = [part or "0" for part in found.groups("0")] if found else ["x"]
            if not all(any_base(part)[1] is None for part in parts):
                raise self.drop(f"{text} is no firewall mark")
        elif word == "tunnel-id":
            text = self.value(word)
            if not text.isdigit() or len(text) > 20:
                raise self.drop(f"{text} is no tunnel")
        elif word == "uidrange":
            if not _USERS.fullmatch(self.value(word)):
                raise self.drop("a range of two numbers is needed")
        elif word in {"sport", "dport"}:
            if not _PORTS.fullmatch(self.value(word)):
                self.ignore(self.position - 1, "a range of two ports is needed")
        elif word == "protocol":
            wrong = unsigned(self.value(word), 0, 255)[1]
            if wrong:
                self.ignore(self.position - 1, wrong)
            self.has_protocol = wrong is None and self.words[self.position - 1] != "18"
        elif word == "ipproto":
            text = self.value(word)
            if text not in _IP_PROTOCOLS and unsigned(text, 0, 127)[1]:
                self.ignore(self.position - 1, f"{text} is no protocol")
        elif word == "l3mdev":
            self.act(word)
        else:
            self._act(self.value(word) if word == "type" else word)

    def _act(self, word: str) -> None:
        if word == "goto":
            value, wrong = unsigned(self.value(word))
            if value is None:
                raise self.drop(f"goto {wrong}")
            self.target = value
        elif word not in _ACTIONS and word != "nop" and c_prefix(word) not in {6, 7, 8}:
            raise self.drop(f"{word} is no option or action of a rule")
        self.act(word)

    def finish(self) -> None:
        """What must be true of the line as a whole."""
        if self.action == "goto":
            if self.priority is None:
                raise Stopped(error(0, "goto needs a priority"))
            if self.target is not None and self.priority >= self.target:
                raise Stopped(error(0, "goto leads to a later priority only"))
        if self.action is None:
            raise Stopped(error(len(self.words) - 1, "a table or another action is needed"))
        if self.action not in {"table", "l3mdev"} and self.has_table_option:
            raise Stopped(error(0, "realms and suppress_... need a table"))
        if self.has_protocol and not self.is_untracked:
            self.complaints.append(advice(0, "another protocol needs no_track"))
        if self.has_group and not self.has_device:
            self.forget("track_group", "track_group needs iif")
        if self.priority is None:
            self.complaints.append(advice(0, "without priority one is made up"))

    def read(self) -> None:
        """The whole line."""
        while self.has_more:
            start = self.position
            self.option(self.take())
            self.keep(start)
        self.finish()


def rule_parts(words: Sequence[str], *, is_static: bool = False) -> Parts:
    """A virtual or static rule, taken apart."""
    reader = _Rule(words, is_static=is_static)
    return reader.parts(reader.read)


def rule(words: Sequence[str], *, is_static: bool = False) -> list[Complaint]:
    """What is wrong with a virtual or static rule."""
    return list(rule_parts(words, is_static=is_static).complaints)
