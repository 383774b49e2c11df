"""lvs.cf to model: what the file means, with pulse's defaults (Piranha 0.8.6, lvsconfig.c).

Reads what people meant also where pulse refuses the line (`syntax.pulse` tells which). A repeated
keyword: the last one wins, as in pulse. What has no field is a leftover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from drctl.model.check import NannyCheck
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover, leftovers
from drctl.model.pair import Address, Director, Hook, IpvsTimeouts, Pulse, Rank, Settings
from drctl.model.service import LocalService, RealServer, SorryServer, VirtualService
from drctl.model.vrrp import Vip
from drctl.quickclass import replace
from drctl.readers.lvs_cf_block import CALLOUT, TAGGED, UNREAD, Fields, meant, read_block
from drctl.readers.lvs_cf_table import FAILOVER, GLOBAL, SERVER, VIRTUAL
from drctl.readers.reading import Reading
from drctl.readers.verbatim import leftover
from drctl.syntax.pulse import (
    EMPTY,
    EXTRA,
    MISSING,
    NO_EQUALS,
    UNKNOWN,
    PulseVerdict,
    judge,
    refusals,
)
from drctl.syntax.tree import Document, Statement
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.place import Place, Span
from drctl.units import mask_bits

DEFAULT_PORT = 80
DEFAULT_SCHEDULER = "wlc"


def read(document: Document, verdict: Callable[[], PulseVerdict] | None = None) -> Reading:
    """Model of an lvs.cf; never fails, whatever the text is. `verdict` gives pulse's if somebody
    else has found it out."""
    top = read_block(document, document.children, GLOBAL)
    services: list[VirtualService] = []
    local_services: list[LocalService] = []
    left = list(top.leftovers)
    for statement in top.blocks:
        keyword, words = meant(statement)
        if keyword == "virtual":
            services.append(_virtual(document, statement, _name(words)))
        elif keyword == "failover":
            local_services.append(_failover(document, statement, _name(words)))
        else:
            left.append(leftover(document, statement, f"{keyword} block at top level"))
    configuration = Configuration(
        settings=_settings(top),
        directors=_directors(top),
        pulse=_pulse(top),
        services=tuple(services),
        local_services=tuple(local_services),
        leftovers=tuple(left),
        origins=top.origins,
    )
    source = document.source
    unreadable = [*_unreadable(configuration)]
    judged = judge(source.encode(source.text)) if verdict is None else verdict()
    found = [*unreadable, *_refused(document, judged)]
    found.sort(key=lambda one: (one.place.line, one.place.column))
    return Reading(document, configuration, (*document.diagnostics, *found), judged)


def _unreadable(configuration: Configuration) -> Iterator[Diagnostic]:
    """A finding for each statement that nothing could be made of."""
    for left in leftovers(configuration):
        if left.reason not in {UNREAD, TAGGED, CALLOUT} and left.place is not None:
            word = left.word[:_LONGEST_WORD]
            message = left.reason if word in left.reason else f"{word}: {left.reason}"
            yield Diagnostic(left.place, "DR031", "unreadable-value", Severity.ERROR, message)


def _refused(document: Document, verdict: PulseVerdict) -> Iterator[Diagnostic]:
    """A finding for each line that pulse stops at, and for each that it reads otherwise than it
    looks. A template is not what pulse gets to see."""
    if document.is_template:
        return
    source = document.source
    is_plain = "\r" not in source.text and "\0" not in source.text
    # what pulse accepts has no line that it refuses, unless it does not read some of them
    found = () if verdict.accepts and is_plain else refusals(source.encode(source.text))
    for refusal in found:
        message = f"pulse rejects this line: {refusal.message}"
        place = _line(document, refusal.line)
        hint = _HINTS.get(refusal.message, "")
        rule = ("DR040", "pulse-rejects-line")
        yield Diagnostic(place, *rule, Severity.WARNING, message, hint)
    if verdict.message == EMPTY:
        message = "pulse rejects an empty file: Empty configuration"
        place = _line(document, 1)
        yield Diagnostic(place, "DR040", "pulse-rejects-line", Severity.WARNING, message)
    for note in verdict.notes:
        if note.code in _TOLD:
            place = _line(document, note.source_line)
            rule = ("DR041", "pulse-reads-otherwise")
            yield Diagnostic(place, *rule, _TOLD[note.code], f"pulse: {note.text}")


_LONGEST_WORD = 60

_HINTS = {
    EXTRA: "put comments on lines of their own, text with blanks in double quotes",
    NO_EQUALS: "write KEYWORD = VALUE with blanks on both sides of the equals sign",
    UNKNOWN: "correct the word (lower case; no blank means no equals sign), or remove the line",
    MISSING: "write the arguments on this line; a block is NAME {, with a blank before the brace",
}
_TOLD = {
    "undefined": Severity.WARNING,
    "unknown-service": Severity.WARNING,
    "unread": Severity.WARNING,
    "cut": Severity.INFO,
    "closed": Severity.WARNING,
    "open": Severity.WARNING,
    "mask-ignored": Severity.WARNING,
    "too-big": Severity.WARNING,
}
"""The notes of a verdict that are told, and how bad they are."""


def _line(document: Document, number: int) -> Place:
    """Line `number` without the blanks around it; the last one when there are fewer."""
    source = document.source
    starts = source.line_starts()
    start = starts[min(number, len(starts)) - 1]
    text = source.line(min(number, len(starts)))
    first = start + len(text) - len(text.lstrip())
    return source.place(Span(first, max(first, start + len(text.rstrip()))))


def _name(words: tuple[str, ...]) -> str:
    """The block's name: `virtual server NAME` of old guides means NAME."""
    return words[-1] if words else ""


def _directors(top: Fields) -> tuple[Director, ...]:
    found = []
    for rank in Rank:
        public, private = top.get(rank.value), top.get(f"{rank.value}_private")
        if public == "0.0.0.0":
            public = None
        if public is None and private is None:
            continue
        origins = top.pick(public=rank.value, private=f"{rank.value}_private")
        first = origins.get("public") or origins["private"]
        origins |= dict.fromkeys((SELF, "rank", "name"), first)
        found.append(Director(rank, rank.value, public, private, origins))
    return tuple(found)


def _pulse(top: Fields) -> Pulse:
    nat_router: Address | None = top.get("nat_router")
    if nat_router is not None:
        mask = top.get("nat_nmask")
        nat_router = replace(
            nat_router,
            prefix=_prefix(mask) if mask is not None else nat_router.prefix,
            origins=top.pick(
                address="nat_router",
                device="nat_router",
                label="nat_router",
                prefix="nat_nmask" if mask is not None else "nat_router",
                **{SELF: "nat_router"},
            ),
        )
    hooks = tuple(
        Hook(
            event,
            command,
            origins=top.pick(**dict.fromkeys((SELF, "event", "command"), f"{event}_cmd")),
        )
        for event in ("active", "inactive")
        if (command := top.get(f"{event}_cmd"))
        for places in (tuple(top.places[f"{event}_cmd"]),)
    )
    values = {
        field: top.values[keyword]
        for field, keyword in _PULSE_FIELDS.items()
        if keyword in top.values
    }
    return Pulse(
        **values,
        nat_router=nat_router,
        hooks=hooks,
        origins=top.pick(**_PULSE_FIELDS),
    )


_PULSE_FIELDS = {
    "service": "service",
    "method": "network",
    "backup_active": "backup_active",
    "heartbeat_port": "heartbeat_port",
    "keepalive_ms": "keepalive",
    "deadtime_ms": "deadtime",
    "monitor_links": "monitor_links",
    "hard_shutdown": "hard_shutdown",
    "syncs_connections": "syncdaemon",
    "sync_interface": "syncd_iface",
    "sync_id": "syncd_id",
}
_TIMEOUT_FIELDS = {"tcp_s": "tcp_timeout", "tcpfin_s": "tcpfin_timeout", "udp_s": "udp_timeout"}


def _settings(top: Fields) -> Settings:
    given = {field: top.get(keyword) for field, keyword in _TIMEOUT_FIELDS.items()}
    if all(value is None for value in given.values()):
        return Settings()
    # 0 means "leave the kernel's" to ipvsadm --set
    seconds = {field: value or None for field, value in given.items()}
    return Settings(ipvs_timeouts=IpvsTimeouts(**seconds, origins=top.pick(**_TIMEOUT_FIELDS)))


def _prefix(mask: str | None) -> int | None:
    """Bits of a mask; 0.0.0.0 (the GUI's "Unused") counts as unset, as in pulse."""
    return (mask_bits(mask) or None) if mask else None


def _vip(fields: Fields) -> Vip | None:
    given: Address | None = fields.get("address")
    if given is None:
        return None
    origins = fields.pick(
        address="address",
        device="address",
        label="address",
        prefix="vip_nmask",
        **{SELF: "address"},
    )
    prefix = _prefix(fields.get("vip_nmask"))
    if prefix is None and given.prefix is not None:
        prefix, origins["prefix"] = given.prefix, origins["address"]
    return Vip(given.address, prefix, given.device, given.label, origins=origins)


_NANNY_FIELDS = {
    "send": "send",
    "expect": "expect",
    "program": "send_program",
    "uses_regex": "use_regex",
    "timeout_ms": "timeout",
    "reentry_ms": "reentry",
    "load_monitor": "load_monitor",
}


def _nanny(fields: Fields) -> NannyCheck:
    values: dict[str, Any] = {
        field: fields.values[keyword]
        for field, keyword in _NANNY_FIELDS.items()
        if keyword in fields.values
    }
    return NannyCheck(**values, origins=fields.pick(**_NANNY_FIELDS))


_SERVICE_FIELDS = {
    "is_active": "active",
    "mark": "fwmark",
    "port": "port",
    "protocol": "protocol",
    "scheduler": "scheduler",
    "persistence_s": "persistent",
    "persistence_mask": "pmask",
    "inhibits_on_failure": "quiesce_server",
}


def _virtual(document: Document, statement: Statement, name: str) -> VirtualService:
    assert statement.body is not None, "read_block lists blocks only"
    fields = read_block(document, statement.body.children, VIRTUAL)
    vip = _vip(fields)
    origins = fields.pick(address="address", **_SERVICE_FIELDS)
    if vip is None:
        origins |= fields.pick(vip="vip_nmask")
    origins |= dict.fromkeys((SELF, "name"), (document.place(statement),))
    mark = fields.get("fwmark") or None
    sorry = fields.get("sorry_server")
    servers, nested = _servers(document, fields)
    return VirtualService(
        address=None if vip is None or mark is not None else vip.address,
        port=_port(fields),
        mark=mark,
        name=name,
        vip=vip,
        nanny=_nanny(fields),
        is_active=fields.get("active", False),
        protocol=fields.get("protocol", "tcp"),
        scheduler=fields.get("scheduler", DEFAULT_SCHEDULER),
        persistence_s=fields.get("persistent") or None,
        persistence_mask=fields.get("pmask"),
        inhibits_on_failure=fields.get("quiesce_server", False),
        real_servers=servers,
        sorry_server=None
        if sorry is None
        else SorryServer(
            sorry, origins=fields.pick(address="sorry_server", **{SELF: "sorry_server"})
        ),
        leftovers=(*fields.leftovers, *nested),
        origins=origins,
    )


def _port(fields: Fields) -> int | None:
    """The port of a virtual; None when all that is said of it could not be read."""
    port: int | None = fields.get("port", None if "port" in fields.refused else DEFAULT_PORT)
    return port


def _failover(document: Document, statement: Statement, name: str) -> LocalService:
    assert statement.body is not None, "read_block lists blocks only"
    fields = read_block(document, statement.body.children, FAILOVER)
    origins = fields.pick(
        is_active="active", port="port", start_command="start_cmd", stop_command="stop_cmd"
    )
    if "address" not in fields.values:
        origins |= fields.pick(vip="vip_nmask")
    origins |= dict.fromkeys((SELF, "name"), (document.place(statement),))
    nested = tuple(
        leftover(document, block, "fos services have no real servers") for block in fields.blocks
    )
    return LocalService(
        name=name,
        port=fields.get("port", DEFAULT_PORT),
        vip=_vip(fields),
        nanny=_nanny(fields),
        start_command=fields.get("start_cmd"),
        stop_command=fields.get("stop_cmd"),
        is_active=fields.get("active", False),
        leftovers=(*fields.leftovers, *nested),
        origins=origins,
    )


def _servers(
    document: Document, fields: Fields
) -> tuple[tuple[RealServer, ...], tuple[Leftover, ...]]:
    """The real servers of a virtual, and blocks that are none.

    A server without a port takes the virtual's *at that line* (80 before any `port`), as pulse
    does; its origins then name no place for it.
    """
    servers, others = [], []
    for statement in fields.blocks:
        keyword, words = meant(statement)
        assert statement.body is not None, "read_block lists blocks only"
        if keyword != "server":
            others.append(leftover(document, statement, f"{keyword} block inside a virtual"))
            continue
        inner = read_block(document, statement.body.children, SERVER)
        nested = tuple(leftover(document, block, "block inside a server") for block in inner.blocks)
        origins = inner.pick(address="address", port="port", weight="weight", is_active="active")
        origins |= dict.fromkeys((SELF, "name"), (document.place(statement),))
        servers.append(
            RealServer(
                address=inner.get("address", ""),
                port=inner.get("port", fields.port_at(statement, DEFAULT_PORT)),
                name=_name(words),
                weight=inner.get("weight", 1),
                is_active=inner.get("active", False),
                leftovers=(*inner.leftovers, *nested),
                origins=origins,
            )
        )
    return tuple(servers), tuple(others)
