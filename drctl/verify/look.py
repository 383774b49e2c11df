"""One look at the segments: ask, judge, and try the real servers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from drctl.adapters.addresses import Addresses, Present
from drctl.adapters.neighbours import Neighbour, neighbours
from drctl.adapters.packet import Heard
from drctl.adapters.route_lookup import on_link
from drctl.adapters.survey import (
    ASKED_ALONE,
    BAITS,
    PROVOKED_AT_MOST,
    Card,
    Provocation,
    Surveyor,
)
from drctl.adapters.survey_record import Question, Record
from drctl.errors import UsageError
from drctl.quickclass import replace
from drctl.verify.judge import disputes, judge
from drctl.verify.plan import Machine, Plan, held_by
from drctl.verify.value import How, Result, Role, Sighting, Station, Survey, Through

_NOBODY = "0.0.0.0"


def read_machine() -> Machine:
    """This host's cards, by netlink. A VIP that failed the detection of duplicates is not there."""
    addresses = Addresses()
    try:
        links = [link for link in addresses.links() if link.is_up and link.has_arp]
        present = addresses.observed()
    finally:
        addresses.close()
    own = {link.interface: _own(present, link.interface) for link in links}
    reached = _reached(own)
    cards = tuple(
        Card(
            link.interface,
            tuple((one.address, one.prefix) for one in own[link.interface]),
            tuple(network for interface, network in reached if interface == link.interface),
        )
        for link in links
        if link.mac and link.interface != "lo"
    )
    macs = {link.interface: link.mac for link in links if link.interface != "lo"}
    there = frozenset((one.address, one.interface) for one in present if one.is_usable)
    return Machine(cards, macs, there)


def _reached(own: Mapping[str, Sequence[Present]]) -> list[tuple[str, str]]:
    """Networks at hand by a route alone, of cards whose addresses of a family are all without one
    (/32, /128), each with its card."""
    found = []
    for is_v6 in (False, True):
        bits, alone = 128 if is_v6 else 32, set()
        for interface, there in own.items():
            # every card has a link-local network
            mine = [one for one in there if one.scope == 0 and (":" in one.address) is is_v6]
            if mine and all(one.prefix == bits for one in mine):
                alone.add(interface)
        if alone:
            found += [one for one in on_link(is_v6=is_v6) if one[0] in alone]
    return found


def _own(present: Sequence[Present], interface: str) -> list[Present]:
    """A card's own addresses. One with an end is a VIP that a daemon holds, but where there is no
    other of its family it came by DHCP, or from a router."""
    there = [one for one in present if one.interface == interface]
    own = [one for one in there if one.valid_ms < 0]
    for is_v6 in (False, True):
        if not any((":" in one.address) == is_v6 and one.scope == 0 for one in own):
            own += [one for one in there if (":" in one.address) == is_v6 and one.valid_ms >= 0]
    return own


def cards_of(plan: Plan, machine: Machine) -> list[Card]:
    """The cards that a plan asks on. Raises UsageError for one that is not there, or down."""
    known = {card.interface: card for card in machine.cards}
    vips = {target.vip for target in plan.targets}
    made = []
    wanted = [target.interface for target in plan.targets]
    wanted += [station.interface for station in plan.stations]
    for name in dict.fromkeys(wanted):
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(
                f"there is no interface {name} that is up and has ARP; up are: {there}"
            )
        own = tuple(one for one in known[name].own if one[0] not in vips)
        made.append(Card(name, own, known[name].reached))
    return made


class Look:
    """Asks as often as it is told to."""

    def __init__(self, plan: Plan, cards: Sequence[Card], rounds: int, listen_s: float) -> None:
        self._plan = plan
        self._cards = cards
        self._surveyor = Surveyor(cards)
        self._rounds = rounds
        self._listen_s = listen_s
        self._turn = 0

    def close(self) -> None:
        """Give back the sockets."""
        self._surveyor.close()

    def refresh(self, machine: Machine) -> Plan:
        """This host may have taken a VIP, or lost it."""
        here = self._plan.here
        held = held_by(self._plan.targets, machine, here.role)
        self._plan = replace(self._plan, here=replace(here, held=held))
        return self._plan

    def result(self, active: str = "", *, is_through: bool = False) -> Result:
        """The verdicts now; `active` is the director that says it is active, if it was asked.
        `is_through`: also what becomes of a connection to each real server."""
        plan = self._plan
        # before anything is asked: an answer may set an entry right
        entries = neighbours()
        record = self._surveyor.survey(
            self._questions(),
            self._provocations(),
            self._enquiries(),
            rounds=self._rounds,
            listen_s=self._listen_s,
        )
        survey = self._survey(record, active)
        findings = judge(survey)
        macs = macs_by_address(record)
        through: tuple[Through, ...] = ()
        if is_through:
            from drctl.verify.through import Reached, try_through

            is_director = plan.here.role is Role.DIRECTOR
            reached = Reached(macs, entries if is_director else ())
            through = try_through(plan.connections, self._cards, reached)
        lost = (f"{record.lost} frames were lost: answers may be missing",) if record.lost else ()
        notes = (*plan.notes, *disputes(survey), *misled(plan, macs, entries), *lost)
        return Result(findings, through, notes)

    def _survey(self, record: Record, active: str) -> Survey:
        plan = self._plan
        return Survey(
            plan.targets,
            plan.stations,
            tuple(sightings(record)),
            plan.here,
            frozenset(record.tried),
            frozenset(record.provoked),
            active,
            frozenset(record.proxies),
            frozenset(record.routers),
            frozenset(record.ties),
            indirect(record),
        )

    def _questions(self) -> list[Question]:
        plan = self._plan
        asked = [Question(one.vip, one.interface, is_as_client=True) for one in plan.targets]
        asked += [Question(one.address, one.interface) for one in plan.stations]
        return list(dict.fromkeys(asked))

    def _provocations(self) -> list[Provocation]:
        """For each real server some of its VIPs, others each time."""
        self._turn += 1
        return [
            Provocation(one.address, vip, one.interface, dict(one.ports).get(vip, 80))
            for one, vip in self._served(BAITS, PROVOKED_AT_MOST, is_v6_too=False)
        ]

    def _enquiries(self) -> list[Provocation]:
        """What each real server is asked for by itself, something else first each time."""
        return [
            Provocation(one.address, vip, one.interface)
            for one, vip in self._served(ASKED_ALONE, ASKED_ALONE, is_v6_too=True)
        ]

    def _served(
        self, each_at_most: int, at_most: int, *, is_v6_too: bool
    ) -> list[tuple[Station, str]]:
        asked = {
            (one.vip, one.interface)
            for one in self._plan.targets
            if is_v6_too or ":" not in one.vip
        }
        made = []
        for station in self._plan.stations:
            if station.role is not Role.REAL_SERVER or (":" in station.address and not is_v6_too):
                continue
            where = station.interface
            vips = [vip for vip in station.vips if (vip, where) in asked]
            if vips:
                first = (self._turn - 1) * each_at_most % len(vips)
                chosen = (vips[first:] + vips[:first])[:each_at_most]
                made.append([(station, vip) for vip in chosen])
        # of many, each server once before any a second time
        pairs = [one for each in itertools.zip_longest(*made) for one in each if one is not None]
        return pairs[:at_most]


def macs_by_address(record: Record) -> dict[str, list[str]]:
    """The MACs that answered for each address; one that answers for everything comes last."""
    found: dict[str, dict[str, None]] = {}
    for one in record.heard:
        if one.kind in {"reply", "na"}:
            found.setdefault(one.sender_address, {})[one.sender_mac] = None
    return {
        address: sorted(macs, key=lambda mac: mac in record.proxies)
        for address, macs in found.items()
    }


def misled(
    plan: Plan, macs: Mapping[str, Sequence[str]], entries: Sequence[Neighbour]
) -> tuple[str, ...]:
    """VIPs that this host would itself send to the wrong MAC, as sentences."""
    asked = {(one.vip, one.interface) for one in plan.targets}
    return tuple(
        f"this host itself sends what is for {one.address} to {one.mac}, "
        + (
            "by a static neighbour entry"
            if one.is_static
            else "which its neighbour table remembers"
        )
        + f"; {' and '.join(macs[one.address])} answers for it"
        for one in entries
        if (one.address, one.interface) in asked
        and macs.get(one.address)
        and one.mac not in macs[one.address]
    )


def indirect(record: Record) -> frozenset[tuple[str, str]]:
    """MACs that answered about an address when this host's own asked, and no probe (the answer to
    one is for nobody), with the address."""
    found: dict[tuple[str, str], bool] = {}
    for one in record.heard:
        if one.kind == "reply" and one.is_to_me:
            key = one.sender_mac, one.sender_address
            found[key] = found.get(key, True) and one.target_address != _NOBODY
    return frozenset(key for key, is_so in found.items() if is_so)


def sightings(record: Record) -> Sequence[Sighting]:
    """What was heard, each thing once."""
    found: dict[Sighting, None] = {}
    for one in record.heard:
        how = _how(one)
        if one.sender_address and how is not None:
            found[Sighting(one.sender_address, one.sender_mac, one.interface, how)] = None
    return tuple(found)


def _how(heard: Heard) -> How | None:
    if heard.kind == "announcement":
        return How.GRATUITOUS
    if heard.kind in {"request", "ns"}:
        return How.SOURCE
    if heard.kind in {"reply", "na"}:
        return How.REPLY if heard.is_to_me else How.GRATUITOUS
    return None
