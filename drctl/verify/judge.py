"""From what was heard to a verdict for each VIP, with the likely cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drctl.verify.cause import Signature, cause_of_leak
from drctl.verify.value import (
    Answer,
    Finding,
    Here,
    How,
    Role,
    Sighting,
    Station,
    Survey,
    Target,
    Verdict,
)

VIRTUAL_MACS = ("00:00:5e:00:01:", "00:00:5e:00:02:")
"""VRRP's own hardware addresses (RFC 5798 7.3); the last byte is the virtual router's id."""


def judge(survey: Survey) -> tuple[Finding, ...]:
    """A finding for each VIP that was asked for, in that order."""
    heard: dict[str, list[Sighting]] = {}
    for one in survey.sightings:
        heard.setdefault(one.address, []).append(one)
    claims = {
        target.vip: _claims(target, heard.get(target.vip, ()), survey.here)
        for target in survey.targets
    }
    evidence = _Evidence(survey, Hosts(survey), claims)
    return tuple(_finding(target, evidence) for target in survey.targets)


class Hosts:
    """Whose a MAC is, by the addresses that it answered for."""

    def __init__(self, survey: Survey) -> None:
        self._by_mac: dict[str, list[Station]] = {}
        self._macs: dict[str, list[str]] = {}
        self._others: dict[str, list[str]] = {}
        stations: dict[str, list[Station]] = {}
        for station in survey.stations:
            stations.setdefault(station.address, []).append(station)
        vips = {target.vip for target in survey.targets}
        for one in survey.sightings:
            if one.how not in {How.REPLY, How.SOURCE}:
                continue
            for station in stations.get(one.address, ()):
                self._add(one.mac, station)
            if one.address not in stations and one.address not in vips:
                self._others.setdefault(one.mac, []).append(one.address)
        here = survey.here
        for mac in here.macs:
            if here.host:
                self._add(mac, Station("", "", here.host, here.role))

    def _add(self, mac: str, station: Station) -> None:
        found = self._by_mac.setdefault(mac, [])
        if all(one.host != station.host for one in found):
            found.append(station)
        macs = self._macs.setdefault(station.host, [])
        if mac not in macs:
            macs.append(mac)

    def of(self, mac: str) -> Station | None:
        """The host with this MAC; one that answers for several (a router by proxy ARP) is none."""
        found = self._by_mac.get(mac, ())
        return found[0] if len(found) == 1 else None

    def macs(self, host: str) -> Sequence[str]:
        """The MACs of a host, in the order heard."""
        return self._macs.get(host, ())

    def describe(self, mac: str) -> str:
        """What an unknown MAC is known by."""
        if mac.startswith(VIRTUAL_MACS):
            return f"{mac} (virtual router {int(mac[-2:], 16)})"
        addresses = sorted(set(self._others.get(mac, ())))
        names = sorted({one.host for one in self._by_mac.get(mac, ())})
        about = ", ".join([*names, *addresses][:4])
        return f"{mac} ({about})" if about else mac


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that verdicts are made of; `claims`: by VIP and MAC, how it was spoken for."""

    survey: Survey
    known: Hosts
    claims: dict[str, dict[str, list[How]]]


def _claims(target: Target, heard: Iterable[Sighting], here: Here) -> dict[str, list[How]]:
    """Who spoke for a VIP, and how."""
    claims: dict[str, list[How]] = {}
    for one in heard:
        if one.interface != target.interface or one.mac in here.macs:
            continue
        ways = claims.setdefault(one.mac, [])
        if one.how not in ways:
            ways.append(one.how)
    if target.vip in here.held:
        claims[here.macs[0] if here.macs else ""] = [How.LOCAL]
    return claims


def _finding(target: Target, evidence: _Evidence) -> Finding:
    survey, known = evidence.survey, evidence.known
    mine = evidence.claims[target.vip]
    directors: list[tuple[str, str, int]] = []
    leaks: list[Station] = []
    strangers: list[str] = []
    for mac, ways in mine.items():
        station = known.of(mac)
        if How.LOCAL in ways:
            directors.append((mac, survey.here.host, survey.here.rank))
        elif mac.startswith(VIRTUAL_MACS):
            directors.append((mac, "", 0))
        elif station is None:
            strangers.append(mac)
        elif station.role is Role.REAL_SERVER:
            leaks.append(station)
        else:
            directors.append((mac, station.host, station.rank))
    active = _active(directors, survey)
    answers = tuple(
        Answer(mac, *_name_and_role(mac, ways, evidence, active), tuple(ways))
        for mac, ways in mine.items()
    )
    hosts = list(dict.fromkeys(host or mac for mac, host, _ in directors))
    if len(hosts) > 1:
        return Finding(target.vip, Verdict.TWO_DIRECTORS, answers, *_two(hosts, leaks))
    if leaks:
        return _leak(target, answers, leaks, evidence)
    if strangers:
        names = " and ".join(known.describe(mac) for mac in strangers)
        verb = "answers" if len(strangers) == 1 else "answer"
        cause = f"{names} {verb} for it, and is no host of the configuration"
        hint = "find that machine by its MAC in the switch's table; it has the VIP, or proxy_arp"
        return Finding(target.vip, Verdict.UNKNOWN_HOST, answers, cause, hint)
    if not any(answer.is_reply for answer in answers):
        cause = "nobody answers for it: no director is active, or none has it on this segment"
        hint = "look at the directors (drctl status, or keepalived's log)"
        return Finding(target.vip, Verdict.UNANSWERED, answers, cause, hint)
    return Finding(target.vip, Verdict.OK, answers)


def _active(directors: Sequence[tuple[str, str, int]], survey: Survey) -> str:
    """The MAC of the director that counts as the active one: of several that answer the one that
    says so itself, or else the one that is to be by its rank."""
    if not directors:
        return ""
    named = [mac for mac, host, _ in directors if host and host == survey.active]
    return named[0] if named else min(directors, key=lambda one: one[2])[0]


def _name_and_role(
    mac: str, ways: Sequence[How], evidence: _Evidence, active: str
) -> tuple[str, str]:
    known = evidence.known
    station = known.of(mac)
    if How.LOCAL in ways:
        return evidence.survey.here.host or "this host", "active" if mac == active else "standby"
    if mac.startswith(VIRTUAL_MACS):
        return known.describe(mac), "active" if mac == active else "standby"
    if station is None:
        return known.describe(mac), Role.UNKNOWN.value
    if station.role is Role.REAL_SERVER:
        return station.host, Role.REAL_SERVER.value
    return station.host, "active" if mac == active else "standby"


def _two(hosts: Sequence[str], leaks: Sequence[Station]) -> tuple[str, str]:
    names = " and ".join(hosts)
    cause = f"{names} both hold it: they do not hear each other, or one did not let go"
    if leaks:
        cause += f"; beside them {', '.join(one.host for one in leaks)} answers"
    return cause, "take the VIP off the one that is not to have it, then see to their heartbeat"


def _leak(
    target: Target, answers: Sequence[Answer], leaks: Sequence[Station], evidence: _Evidence
) -> Finding:
    causes, hints = [], []
    for station in dict.fromkeys(leaks):
        cause, hint = cause_of_leak(_signature(target, station, evidence))
        causes.append(f"{station.host} {cause}")
        hints.append(hint.format(host=station.host))
    if not any(answer.role in {"active", "standby"} and answer.is_reply for answer in answers):
        causes.append("no director answers for it")
    text = "; ".join(causes)
    return Finding(target.vip, Verdict.LEAK, tuple(answers), text, hints[0])


def _signature(target: Target, station: Station, evidence: _Evidence) -> Signature:
    known, claims, provoked = evidence.known, evidence.claims, evidence.survey.provoked
    macs = [mac for mac in claims[target.vip] if known.of(mac) == station]
    ways = {how for mac in macs for how in claims[target.vip][mac]}
    served = [vip for vip in station.vips if vip in claims and (":" in vip) == (":" in target.vip)]
    cards = known.macs(station.host)
    leaking = [vip for vip in served if any(mac in claims[vip] for mac in cards)]
    if (station.address, target.vip) not in provoked:
        # as it does with those that it was asked with
        others = {how for vip in leaking for mac in cards for how in claims[vip].get(mac, ())}
        ways |= others & {How.SOURCE}
    return Signature(
        answers=How.REPLY in ways,
        names_as_source=How.SOURCE in ways,
        tells_everybody=How.GRATUITOUS in ways,
        is_provoked=any(address == station.address for address, _ in provoked),
        is_v6=":" in target.vip,
        is_alone=len(served) > 1 and len(leaking) < len(served),
        second_card=macs[0] if len(macs) < len(cards) else "",
    )
