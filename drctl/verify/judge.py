"""From what was heard to a verdict for each VIP, with the likely cause."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from drctl.quickclass import dataclass
from drctl.verify.cause import Signature, cause_of_leak
from drctl.verify.owner import VIRTUAL_MACS, Owner, Owners
from drctl.verify.value import (
    Answer,
    Finding,
    Here,
    How,
    Role,
    Sighting,
    Survey,
    Target,
    Verdict,
)

_LAST = 9
"""The rank of a director whom the configuration does not name: any other one is before it."""


def judge(survey: Survey) -> tuple[Finding, ...]:
    """A finding for each VIP that was asked for, in that order."""
    heard: dict[str, list[Sighting]] = {}
    for one in survey.sightings:
        heard.setdefault(one.address, []).append(one)
    claims = {
        target.vip: _claims(target, heard.get(target.vip, ()), survey.here)
        for target in survey.targets
    }
    evidence = _Evidence(survey, Owners(survey), claims)
    return tuple(_finding(target, evidence) for target in survey.targets)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that verdicts are made of; `claims`: by VIP and MAC, how it was spoken for."""

    survey: Survey
    known: Owners
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
    leaks: list[Owner] = []
    strangers: list[str] = []
    for mac, ways in mine.items():
        owner = known.of(mac)
        if How.LOCAL in ways and (
            survey.here.role is Role.DIRECTOR or _may_be_here(target, survey)
        ):
            directors.append((mac, survey.here.host, survey.here.rank))
        elif owner is not None and owner.role is Role.REAL_SERVER:
            leaks.append(owner)
        elif owner is not None:
            directors.append((mac, owner.host, owner.rank))
        elif mac.startswith(VIRTUAL_MACS):
            directors.append((mac, "", 0))
        else:
            strangers.append(mac)
    leaks += _grasping(target, evidence)
    if _may_be_directors(target, strangers, evidence):
        directors += [(mac, known.describe(mac), _LAST) for mac in strangers]
        strangers = []
    active = _active(directors, survey)
    presumed = frozenset(mac for mac, _, _ in directors)
    answers = tuple(
        Answer(mac, *_name_and_role(mac, ways, evidence, active, presumed), tuple(ways))
        for mac, ways in mine.items()
    )
    directors.sort(key=lambda one: one[2])
    hosts = list(dict.fromkeys(host or mac for mac, host, _ in directors))
    if len(hosts) > 1:
        is_sure = all(rank < _LAST for _, _, rank in directors)
        about = _two(hosts, leaks, is_sure=is_sure)
        return Finding(target.vip, Verdict.TWO_DIRECTORS, answers, *about)
    if leaks:
        return _leak(target, answers, leaks, evidence)
    if strangers:
        return Finding(
            target.vip, Verdict.UNKNOWN_HOST, answers, *_stranger(target, strangers, evidence)
        )
    if not any(answer.is_reply for answer in answers):
        cause = (
            "nobody answers for it: no director is active, or none has it on this segment, or the "
            "active one is silenced by what is for real servers (ARP rules, arp_ignore)"
        )
        if ":" in target.vip:
            cause += ", or its kernel has found it to be a duplicate (dadfailed in `ip address`)"
        hint = "look at the directors (drctl status, or keepalived's log)"
        return Finding(target.vip, Verdict.UNANSWERED, answers, cause, hint)
    return Finding(target.vip, Verdict.OK, answers)


def _may_be_directors(target: Target, strangers: Sequence[str], evidence: _Evidence) -> bool:
    """Whether those whom nobody knows are no more than the directors whom nobody knows."""
    survey = evidence.survey
    is_here_unknown = target.vip in survey.here.held and survey.here.role is Role.UNKNOWN
    return len(strangers) <= target.unnamed - is_here_unknown and not any(
        mac in survey.proxies for mac in strangers
    )


def _may_be_here(target: Target, survey: Survey) -> bool:
    """Whether this host, which has the VIP and is none of the setup, may be a director."""
    return survey.here.role is Role.UNKNOWN and target.unnamed > 0


def _active(directors: Sequence[tuple[str, str, int]], survey: Survey) -> str:
    """The MAC of the director that counts as the active one: of several that answer the one that
    says so itself, or else the one that is to be by its rank."""
    if not directors:
        return ""
    named = [mac for mac, host, _ in directors if host and host == survey.active]
    return named[0] if named else min(directors, key=lambda one: one[2])[0]


def _name_and_role(
    mac: str, ways: Sequence[How], evidence: _Evidence, active: str, directors: Container[str]
) -> tuple[str, str]:
    known = evidence.known
    owner = known.of(mac)
    if How.LOCAL in ways:
        here = evidence.survey.here
        role = "active" if mac == active else "standby" if mac in directors else here.role.value
        return here.host or "this host", role
    if owner is None and mac in directors:
        return known.describe(mac), "active" if mac == active else "standby"
    if owner is None:
        return known.describe(mac), Role.UNKNOWN.value
    if owner.role is Role.REAL_SERVER:
        return owner.host, Role.REAL_SERVER.value
    return owner.host, "active" if mac == active else "standby"


def _grasping(target: Target, evidence: _Evidence) -> list[Owner]:
    """Real servers of the VIP that answer for every address, if not for this one: so it is on them
    with a mask that is too short."""
    known = evidence.known
    owners = [known.of(mac) for mac in sorted(evidence.survey.proxies)]
    return [
        one
        for one in owners
        if one is not None and target.vip in one.vips and ":" not in target.vip
    ]


def _stranger(target: Target, strangers: Sequence[str], evidence: _Evidence) -> tuple[str, str]:
    known, survey = evidence.known, evidence.survey
    claims = evidence.claims[target.vip]
    if any(How.LOCAL in claims.get(mac, ()) for mac in strangers):
        cause = "this host has it, and is no host of the configuration"
        return cause, "take it off this host, or name the directors (--director ADDRESS)"
    names = " and ".join(known.describe(mac) for mac in strangers)
    if any(mac in survey.proxies for mac in strangers):
        cause = f"{names} answers for every address, also those that nobody has: proxy_arp is on"
        return cause, "on that router: set proxy_arp to 0 on its card at this segment"
    routers = sorted(number for mac, number in survey.routers if mac in strangers)
    hint = "find that machine by its MAC in the switch's table; it has the VIP"
    if routers:
        cause = (
            f"{names} answers for it and advertises virtual router {routers[0]} by VRRP: a "
            "director that is not in the configuration"
        )
        return cause, hint
    is_one = len(strangers) == 1
    ways = {how for mac in strangers for how in claims.get(mac, ())}
    deed = ("answers" if is_one else "answer") + " for it"
    if How.REPLY not in ways:
        deed = ("tells" if is_one else "tell") + " everybody, unasked, that it is there"
    elif all((mac, target.vip) in survey.indirect for mac in strangers):
        deed += " in somebody's place (proxy_arp, or ip neigh show proxy)"
    what = (
        "a copied or forgotten machine, or a device with a MAC of its own (a macvlan, a container)"
    )
    cause = f"{names} {deed}, and {'is' if is_one else 'are'} no host of the configuration: {what}"
    return cause, hint


def _two(hosts: Sequence[str], leaks: Sequence[Owner], *, is_sure: bool) -> tuple[str, str]:
    names = " and ".join(hosts)
    cause = f"{names} both hold it: they do not hear each other, or one did not let go"
    if not is_sure:
        cause += "; or one of them is no director"
    if leaks:
        cause += f"; beside them {', '.join(one.host for one in leaks)} answers"
    return cause, "take the VIP off the one that is not to have it, then see to their heartbeat"


def _leak(
    target: Target, answers: Sequence[Answer], leaks: Sequence[Owner], evidence: _Evidence
) -> Finding:
    causes, hints = [], []
    for owner in _machines(leaks):
        cause, hint = cause_of_leak(_signature(target, owner, evidence))
        causes.append(f"{owner.host} {cause}")
        hints.append(hint.format(host=owner.host))
    if not any(answer.role in {"active", "standby"} and answer.is_reply for answer in answers):
        causes.append("no director answers for it")
    text = "; ".join(causes)
    return Finding(target.vip, Verdict.LEAK, tuple(answers), text, hints[0])


def _machines(owners: Iterable[Owner]) -> list[Owner]:
    """Each once: by the addresses that its cards answer for, a machine may look like several."""
    by_host: dict[str, Owner] = {}
    for one in owners:
        before = by_host.setdefault(one.host, one)
        if len(one.addresses) > len(before.addresses):
            by_host[one.host] = one
    return list(by_host.values())


def _signature(target: Target, owner: Owner, evidence: _Evidence) -> Signature:
    known, claims, survey = evidence.known, evidence.claims, evidence.survey
    cards = known.macs(owner)
    tied = [mac for mac in claims[target.vip] if known.is_tied(mac) and known.of(mac) == owner]
    macs = [mac for mac in claims[target.vip] if mac in cards]
    ways = {how for mac in (*macs, *tied) for how in claims[target.vip][mac]}
    served = [vip for vip in owner.vips if vip in claims and (":" in vip) == (":" in target.vip)]
    leaking = [vip for vip in served if any(mac in claims[vip] for mac in cards)]
    spoke = {vip for address, vip in survey.provoked if address in owner.addresses}
    if any((address, target.vip) in survey.tried for address in owner.addresses):
        spoke &= {target.vip}
    else:
        # as it does with those that it was tried with
        others = {how for vip in leaking for mac in cards for how in claims[vip].get(mac, ())}
        ways |= others & {How.SOURCE}
    routers = [number for mac, number in sorted(survey.routers) if mac in cards]
    return Signature(
        answers=How.REPLY in ways,
        names_as_source=How.SOURCE in ways,
        tells_everybody=How.GRATUITOUS in ways,
        is_provoked=bool(spoke),
        is_v6=":" in target.vip,
        is_alone=len(served) > 1 and len(leaking) < len(served),
        second_card=macs[0] if macs and len(macs) < len(cards) else "",
        is_proxy=any(mac in survey.proxies for mac in cards),
        is_here=How.LOCAL in ways,
        router=routers[0] if routers else 0,
        other_card=known.describe(tied[0]) if tied and not macs else "",
        is_indirect=bool(macs) and all((mac, target.vip) in survey.indirect for mac in macs),
        is_deaf=_is_deaf(owner, survey),
    )


def _is_deaf(owner: Owner, survey: Survey) -> bool:
    """Whether it is known by what it asks alone, and answers for none of its IPv4 addresses."""
    own = {one for one in owner.addresses if ":" not in one}
    answered = {one.address for one in survey.sightings if one.how is How.REPLY}
    return bool(own) and own.isdisjoint(answered)


def disputes(survey: Survey) -> tuple[str, ...]:
    """Own addresses of hosts that two machines answer for, as sentences."""
    known = Owners(survey)
    return tuple(
        f"{address} ({station.host}) is answered for by {' and '.join(macs)}: two machines have it"
        for address, station, macs in known.disputed()
        if not any(mac in survey.proxies for mac in macs)
    )
