"""Routes in the manner of ip-route(8), as keepalived 2.2.7 reads them.

`inet` and `inet6` swallow the word behind them: keepalived counts on once too often. `default`,
`any` and `all` have no family, and that does not agree with the family of an address before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from drctl.quickclass import dataclass
from drctl.schema.complaint import Complaint, advice, error, missing_after
from drctl.schema.composite_address import SCOPES, family, prefixed
from drctl.schema.composite_number import c_prefix, decimal, unsigned

TYPES = {
    *("local", "nat", "broadcast", "brd", "anycast", "multicast", "prohibit", "unreachable"),
    *("blackhole", "xresolve", "unicast", "throw"),
}
TABLES = {"default", "main", "local", "unspec"}
PROTOCOLS = {
    *("unspec", "redirect", "kernel", "boot", "static", "gated", "ra", "mrt", "zebra", "bird"),
    *("babel", "dnrouted", "xorp", "ntk", "dhcp", "keepalived", "bgp", "isis", "ospf", "rip"),
    *("eigrp", "openr"),
}
DSFIELDS = {
    "default",
    *(f"AF{kind}{precedence}" for kind in "1234" for precedence in "123"),
    *(f"CS{kind}" for kind in "1234567"),
    "EF",
}
REALMS = {"cosmos"}
"""Names in the tables that iproute2 brings along; a machine may have more of them."""
ANY_ADDRESS = {"default", "any", "all"}
_KEEPALIVED_PROTOCOL = 18
_LONGEST_RTT_MS = 15 * 60 * 1000
_TIME = re.compile(r"([0-9.]*)(m?)s(?:ecs?)?", re.IGNORECASE)
_PLAIN = {"onlink", "add", "prepend", "append", "no_track"}
_LOCKABLE = {
    *("mtu", "advmss", "rtt", "rttvar", "reordering", "cwnd", "ssthresh", "rto_min", "congctl"),
}
_NUMBERS = {
    **dict.fromkeys(("metric", "priority", "preference", "mtu", "advmss", "reordering"), 2**32 - 1),
    **dict.fromkeys(("window", "cwnd", "ssthresh", "initcwnd", "initrwnd", "expires"), 2**32 - 1),
    "hoplimit": 255,
    "quickack": 1,
    "fastopen_no_cookie": 1,
}
_FAMILIES = {"inet", "inet6"}
_ENCAPSULATIONS = {"ip", "ip6", "mpls", "ila"}
_ENCAPSULATED = {"id", "dst", "src", "tos", "ttl", "flags", "tc", "hoplimit"}


class Stopped(Exception):
    """The rest of a line is not looked at."""

    def __init__(self, complaint: Complaint) -> None:
        self.complaint = complaint
        super().__init__(complaint.text)


Piece = tuple[str, ...]
"""An option as it was written, with the words that belong to it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A line of a route or a rule, taken apart.

    `pieces` are its options in order, `hops` those of each next hop; a route's destination is a
    piece of `to`, its type (empty without one) and the network. `ignored` are words without effect,
    swallowed or reported. `family` is 4 or 6, 0 when nothing tells. `refused` says why the line as
    a whole is dropped, empty when it is not.
    """

    pieces: tuple[Piece, ...]
    hops: tuple[tuple[Piece, ...], ...]
    ignored: tuple[str, ...]
    family: int
    refused: str
    complaints: tuple[Complaint, ...]


class Reader:
    """A line's words, taken one by one, and the family that they agree on so far."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.position = 0
        self.family = 0
        self.complaints: list[Complaint] = []
        self.pieces: list[Piece] = []
        self.hops: list[list[Piece]] = []
        self.ignored: list[str] = []
        self._is_ignored = False

    def ignore(self, position: int, text: str) -> None:
        """The option is reported and left out."""
        self.complaints.append(error(position, text))
        self._is_ignored = True

    def keep(self, start: int) -> None:
        """Note the words from `start` on as what one option was."""
        words = tuple(self.words[start : self.position])
        if self._is_ignored:
            self.ignored += words
        elif words[0] in _FAMILIES:
            self.ignored += (word for word in words[1:] if word not in _FAMILIES)
        else:
            (self.hops[-1] if self.hops else self.pieces).append(self.named_piece(words))
        self._is_ignored = False

    def named_piece(self, words: Piece) -> Piece:
        """The words as a piece, which begins with a name."""
        return words

    def forget(self, option: str, text: str) -> None:
        """What an option said has no effect, as the rest of the line shows."""
        self.complaints.append(error(0, text))
        self.ignored += (word for piece in self.pieces if piece[0] == option for word in piece)
        self.pieces = [piece for piece in self.pieces if piece[0] != option]

    def parts(self, read: Callable[[], None]) -> Parts:
        """All that `read` finds on the line."""
        refused = ""
        try:
            read()
        except Stopped as stopped:
            self.complaints.append(stopped.complaint)
            refused = stopped.complaint.text
        hops = tuple(map(tuple, self.hops))
        complaints = tuple(self.complaints)
        return Parts(
            tuple(self.pieces), hops, tuple(self.ignored), self.family, refused, complaints
        )

    @property
    def has_more(self) -> bool:
        """Whether a word is left."""
        return self.position < len(self.words)

    def take(self) -> str:
        """The next word."""
        word = self.words[self.position]
        self.position += 1
        return word

    def value(self, option: str) -> str:
        """The word behind `option`; the line ends here without one."""
        if not self.has_more:
            raise Stopped(missing_after(len(self.words) - 1, option))
        return self.take()

    def drop(self, text: str) -> Stopped:
        """The last word taken is why the line is dropped."""
        return Stopped(error(self.position - 1, text))

    def agree(self, own: int) -> None:
        """Keeps to one family."""
        if self.family and own != self.family:
            what = "two families" if own else "a family and a word for all addresses of any family"
            raise self.drop(f"{what} on one line")
        self.family = own

    def address(self, option: str, *, has_prefix: bool = False) -> int:
        """An address, or a network where one may stand; gives its family, 0 for no certain one."""
        word = self.value(option)
        if has_prefix and word in ANY_ADDRESS:
            return 0
        if has_prefix and word == "default6":
            return 6
        own, _, wrong = prefixed(word) if has_prefix else (family(word), 0, None)
        if own is None:
            raise self.drop(f"{option} {word} is no address")
        if wrong:
            self.complaints.append(error(self.position - 1, f"prefix length of {word}: {wrong}"))
        return own

    def named(self, option: str, names: set[str], most: int) -> str:
        """A number up to `most`, or one of the names that are known without the machine."""
        word = self.value(option)
        if word not in names and not 0 <= c_prefix(word) <= most:
            raise self.drop(f"{word} is not known for {option}")
        return word

    def number(self, option: str, most: float) -> None:
        """A whole number up to `most`."""
        wrong = unsigned(self.value(option), 0, most)[1]
        if wrong:
            raise self.drop(f"{option} {wrong}")

    def realms(self) -> None:
        """`REALM[/REALM]`."""
        word = self.value("realms")
        if not all(part in REALMS or 0 <= c_prefix(part) <= 255 for part in word.split("/", 1)):
            raise self.drop(f"realms {word}")
        self.agree(4)

    def switch_family(self, word: str) -> None:
        """`inet` or `inet6`, and the word that it swallows."""
        self.agree(6 if word == "inet6" else 4)
        self.position += 1


class _Route(Reader):
    def __init__(self, words: Sequence[str], *, is_static: bool) -> None:
        super().__init__(words)
        self.is_static = is_static
        self.has_destination = self.has_device = self.is_untracked = False
        self.has_group = self.has_or = False
        self.protocol: int | None = None
        self._target: Piece = ()

    def named_piece(self, words: Piece) -> Piece:
        """See `Reader.named_piece`."""
        found, self._target = self._target or words, ()
        return found

    def option(self, word: str) -> bool:
        """Reads what belongs to `word`; False when it is no option."""
        special: dict[str, Callable[[str], None]] = {
            "via": self._via,
            "gw": self._via,
            "from": self._from,
            "realms": lambda _: self.realms(),
            "encap": self._encapsulation,
            "or": self._or,
            "pref": self._preference,
            "as": self._as,
        }
        if word in _FAMILIES:
            self.switch_family(word)
        elif word == "src":
            self.agree(self.address("src"))
        elif word in special:
            special[word](word)
        elif word in _PLAIN:
            self.is_untracked = self.is_untracked or word == "no_track"
        elif word in {"dev", "oif"}:
            self.has_device = bool(self.value(word))
        elif word in _NUMBERS or word in _LOCKABLE:
            self._measure(word)
        elif word == "track_group" and self.is_static:
            self.has_group = bool(self.value(word))
        else:
            return self._named_option(word)
        return True

    def _named_option(self, word: str) -> bool:
        if word in {"tos", "dsfield"}:
            self.named(word, DSFIELDS, 255)
        elif word == "table":
            self.named(word, TABLES, 2**32 - 1)
        elif word == "scope":
            self.named(word, SCOPES, 255)
        elif word == "protocol":
            name = self.named(word, PROTOCOLS, 255)
            self.protocol = _KEEPALIVED_PROTOCOL if name == "keepalived" else c_prefix(name)
        elif word == "features":
            if self.value(word) != "ecn":
                self.ignore(self.position - 1, "the only feature is ecn")
        elif word == "ttl-propagate":
            if self.value(word) not in {"enabled", "disabled"}:
                self.ignore(self.position - 1, "it is enabled or disabled")
        elif word == "vrf":
            self.value(word)
        else:
            return False
        return True

    def destination(self, word: str) -> None:
        """`[to] DESTINATION` or `TYPE DESTINATION`."""
        kind = ""
        if word != "to" and (word in TYPES or 0 <= c_prefix(word) <= 255):
            kind = word
        elif word != "to":
            self.position -= 1
        self.agree(self.address(kind or "to", has_prefix=True))
        self.has_destination = True
        self._target = ("to", kind, self.words[self.position - 1])

    def finish(self) -> None:
        """What must be true of the line as a whole."""
        last = len(self.words) - 1
        if not self.has_destination:
            raise Stopped(error(last, "a destination is needed"))
        if not self.is_untracked:
            if self.protocol not in {None, _KEEPALIVED_PROTOCOL}:
                self.complaints.append(advice(0, "another protocol needs no_track"))
            if not self.has_device:
                self.complaints.append(advice(0, "without dev or no_track it is not tracked"))
        if self.has_group and not self.has_device:
            self.forget("track_group", "track_group needs dev")

    def _via(self, word: str) -> None:
        if word == "gw":
            self.complaints.append(advice(self.position - 1, "gw is called via now"))
        own = self.family
        if self.has_more and self.words[self.position] in _FAMILIES:
            own = 6 if self.take() == "inet6" else 4
        self.agree(own)
        self.agree(self.address("via"))

    def _from(self, word: str) -> None:
        own = self.address(word, has_prefix=True)
        if own != 6:
            raise self.drop("from is for IPv6 only")
        self.agree(own)

    def _measure(self, word: str) -> None:
        if word in _LOCKABLE and self.has_more and self.words[self.position] == "lock":
            self.position += 1
        if word in {"rtt", "rttvar", "rto_min"}:
            text = self.value(word)
            if not _is_time(text, {"rtt": 8, "rttvar": 4, "rto_min": 1}[word]):
                raise self.drop(f"{word} {text} is no time")
        elif word == "congctl":
            self.value(word)
        else:
            if word == "expires":
                self.agree(6)
            self.number(word, _NUMBERS[word])

    def _preference(self, word: str) -> None:
        self.agree(6)
        if self.has_more and self.words[self.position] in {"low", "medium", "high"}:
            self.position += 1
        else:
            self.number(word, 255)

    def _encapsulation(self, word: str) -> None:
        if not self.has_more or self.take() not in _ENCAPSULATIONS:
            self.ignore(self.position - 1, f"{word} is ip, ip6, mpls or ila")
            return
        kind = self.words[self.position - 1]
        if kind in {"mpls", "ila"}:
            self.value(kind)
            return
        while self.has_more and self.words[self.position] in _ENCAPSULATED:
            self.value(self.take())

    def _or(self, word: str) -> None:
        self.complaints.append(advice(self.position - 1, "or is called nexthop now"))
        self.has_or = True
        self.address(word)

    def _as(self, word: str) -> None:
        self.ignore(self.position - 1, f"{word} to is for MPLS only")
        if self.value(word) == "to":
            self.value("to")

    def read(self) -> None:
        """The whole line."""
        while self.has_more:
            start = self.position
            word = self.take()
            if word == "nexthop":
                self._next_hops()
                break
            if not self.option(word):
                self.destination(word)
            self.keep(start)
        self.finish()

    def _next_hops(self) -> None:
        if self.has_or:
            self.complaints.append(error(self.position - 1, "or is there already"))
            self.ignored += self.words[self.position - 1 :]
            return
        self.hops.append([])
        while self.has_more:
            start = self.position
            word = self.take()
            if word == "nexthop":
                self.hops.append([])
                continue
            self._hop_option(word)
            self.keep(start)

    def _hop_option(self, word: str) -> None:
        if word == "via":
            self._via(word)
        elif word == "weight":
            value, wrong = unsigned(self.value(word), 1, 256)
            if value is None:
                raise self.drop(f"weight {wrong}")
        elif word == "realms":
            self.realms()
        elif word == "dev":
            self.value(word)
        elif word == "encap":
            self._encapsulation(word)
        elif word != "onlink":
            raise self.drop(f"{word} is no option of a next hop")


def route_parts(words: Sequence[str], *, is_static: bool = False) -> Parts:
    """A virtual or static route, taken apart."""
    reader = _Route(words, is_static=is_static)
    return reader.parts(reader.read)


def route(words: Sequence[str], *, is_static: bool = False) -> list[Complaint]:
    """What is wrong with a virtual or static route."""
    return list(route_parts(words, is_static=is_static).complaints)


def _is_time(text: str, per_ms: int) -> bool:
    found = _TIME.fullmatch(text.lstrip())
    if found and not found[1]:
        return False
    digits, places = (found[1], 0 if found[2] else 3) if found else (text, 0)
    return decimal(digits, places, 0, _LONGEST_RTT_MS * per_ms / 10**places)[1] is None
