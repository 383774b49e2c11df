"""What has to be done to a running host, in the safe order: first what keeps it silent, then the
addresses, last the way back. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from drctl.adapters.host_step import Step
from drctl.realserver.value import Wanted

OWN_RULES = 100
"""A rule for everything comes so much after the one for networks at hand (drctl-route)."""


def steps_of(wanted: Wanted) -> tuple[Step, ...]:
    """Everything, in order."""
    plan = wanted.plan
    return (
        *(Step("module", one.device, one.module) for one in plan.tunnels),
        *_rules(wanted),
        *_settings(wanted),
        *(Step("link", device, "up") for device in _devices(wanted)),
        *(Step("address", one.device, f"{one.vip}/{one.prefix}") for one in plan.addresses),
        *_ways_back(wanted),
    )


def _ways_back(wanted: Wanted) -> Iterator[Step]:
    """What `drctl-route start` does at boot; here the journal knows what was there before."""
    for way in wanted.plan.ways_back:
        family = "-6" if way.family == 6 else "-4"
        if not wanted.plan.is_mixed:
            yield Step("route", family, way.address)
            continue
        source = f"from {way.real_address} table"
        yield Step("route", f"{family} table {way.table}", way.address)
        yield Step("rule", f"{family} {way.table}", f"{source} main suppress_prefixlength 0")
        yield Step("rule", f"{family} {way.table + OWN_RULES}", f"{source} {way.table}")


def _rules(wanted: Wanted) -> Iterator[Step]:
    plan = wanted.plan
    if plan.method in {"arptables", "arptables_jf"}:
        for line in plan.silent:
            yield Step("arptables", "INPUT", f"-d {line.vip} -j DROP")
            if line.real_address:
                rule = f"-s {line.vip} -j mangle --mangle-ip-s {line.real_address}"
                yield Step("arptables", "OUTPUT", rule)
        return
    for file in wanted.files:
        if file.path.endswith(".nft"):
            for table, text in _tables(file.text):
                yield Step("nft", table, text)
        elif file.path.endswith("tables.rules"):
            yield Step("iptables", file.path.rpartition("/")[2].removesuffix(".rules"), file.text)


def _tables(text: str) -> Iterator[tuple[str, str]]:
    """Each table of a ruleset file, with the part of the text that replaces it."""
    start = "delete table "
    lines = text.splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith(start)]
    for number, following in zip(begins, [*begins[1:], len(lines) + 1], strict=True):
        table = lines[number].removeprefix(start)
        yield table, "\n".join(lines[number - 1 : following - 1]) + "\n"


def _settings(wanted: Wanted) -> Iterator[Step]:
    plan = wanted.plan
    if plan.method == "sysctl" and plan.silent:
        yield Step("sysctl", "net.ipv4.conf.all.arp_ignore", "1")
        yield Step("sysctl", "net.ipv4.conf.all.arp_announce", "2")
    for tunnel in plan.tunnels:
        if tunnel.device == "tunl0":
            yield Step("sysctl", "net.ipv4.conf.tunl0.rp_filter", "2")


def _devices(wanted: Wanted) -> list[str]:
    plan = wanted.plan
    return sorted({one.device for one in plan.addresses} | {one.device for one in plan.tunnels})
