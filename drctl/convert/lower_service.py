"""Virtual services of an lvs.cf in keepalived's terms, as lvsd of Piranha 0.8.6 really set them
up: which block of a mark ran, which weight arrived, which port was used."""

from __future__ import annotations

from dataclasses import replace

from drctl.convert.block import places_of_block
from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_check import lower_check
from drctl.convert.lower_mark import mark_rules_of, note_shared_address, with_block
from drctl.convert.options import ConvertOptions
from drctl.convert.writable import address_or_none
from drctl.model.check import Check, Connect, MiscCheck, NannyCheck
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Origins
from drctl.model.service import (
    MASQUERADE,
    Forwarding,
    RealServer,
    SorryServer,
    VirtualService,
)
from drctl.text.place import Place
from drctl.units import inet_aton

LONGEST_PERSISTENCE_S = 2_678_400
LARGEST_WEIGHT = 65_535
"""keepalived 2.2.7 refuses more."""
LARGEST_MARK = 2**32 - 1
DEFAULT_TIMEOUT_MS = 10_000

Key = tuple[str, str, int] | int


def lower_services(
    configuration: Configuration, options: ConvertOptions, ledger: Ledger
) -> tuple[VirtualService, ...]:
    """The services that ran, in the order of the file, marks merged into one service each."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    lowered: dict[Key, VirtualService] = {}
    first_names: dict[Key, str] = {}
    marks_of: dict[tuple[str, str, int], int] = {}
    for service in configuration.services:
        key = _key(service, ledger)
        if key is None:
            continue
        if isinstance(key, int):
            note_shared_address(service, marks_of, ledger)
            if key in lowered:
                lowered[key] = with_block(lowered[key], service, options, ledger)
                continue
        elif key in lowered:
            _drop(
                service,
                ledger,
                f"{service.address}:{service.port}/{service.protocol} is served by virtual "
                f"{first_names[key]} already; ipvsadm refused this block",
                "merge the two blocks",
            )
            continue
        first_names[key] = service.name or ""
        lowered[key] = _service(service, pulse.method, options, ledger)
    method_places = pulse.origins.get("method", ())
    if not lowered:
        ledger.idle(method_places, "no active virtual uses it")
    elif not method_places:
        refused = any(left.word.lower() == "network" for left in configuration.leftovers)
        missing = "cannot be read" if refused else "is missing"
        why = f"network {missing}, and nat is pulse's default"
        ledger.choose("forwarding method", pulse.method, why, "add network to the lvs.cf")
    return tuple(
        replace(service, origins={**service.origins, "forwarding": method_places})
        for service in lowered.values()
    )


def _key(service: VirtualService, ledger: Ledger) -> Key | None:
    """What ipvsadm tells services apart by; None when the block never ran."""
    if not service.is_active:
        why = "active is 0 or missing: lvsd skipped the block"
        for places in places_of_block(service):
            ledger.idle(places, why)
        return None
    if not any(_unusable(server) is None for server in service.real_servers):
        why = (
            "no active real server with an address that could be read: keepalived ignores such a "
            "service"
        )
        _drop(service, ledger, why, "add real servers")
        return None
    if service.port is None:
        _drop(service, ledger, "its port could not be read", "write the number of the port")
        return None
    if service.mark is not None:
        if 0 < service.mark <= LARGEST_MARK:
            return service.mark
        _drop(service, ledger, f"fwmark {service.mark} is outside 1..{LARGEST_MARK}", "correct it")
        return None
    if service.vip is None:
        todo = "add an address with a device, or a fwmark"
        _drop(service, ledger, "the block has no address and no mark", todo)
        return None
    if inet_aton(service.vip.address) is None:
        why = f"{service.vip.address} is a host name, and a VIP must be an address"
        _drop(service, ledger, why, "write the address into the lvs.cf and convert again")
        return None
    return service.vip.address, service.protocol or "tcp", service.port


def _drop(service: VirtualService, ledger: Ledger, why: str, todo: str) -> None:
    """Account for all statements of a block that gives nothing."""
    for places in places_of_block(service):
        ledger.note(places, Verdict.DROPPED, why, todo)


def _service(
    service: VirtualService, method: str, options: ConvertOptions, ledger: Ledger
) -> VirtualService:
    """One service with its servers and their checks."""
    nanny = service.nanny
    assert nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    origins = dict(service.origins)
    address = () if service.vip is None else service.vip.origins.get("address", ())
    origins[SELF] = (*origins[SELF], *origins.get("is_active", ()), *address)
    interval_ms = nanny.timeout_ms
    if interval_ms == 0:
        interval_ms = DEFAULT_TIMEOUT_MS
        why = "timeout 0 made nanny divide by zero; nanny's default of 10 s written"
        ledger.field(nanny.origins, "timeout_ms", Verdict.REPAIRED, why)
    forwarding = Forwarding(method)
    servers = _servers(service, forwarding, options, ledger)
    _note_defaults(service, ledger)
    is_marked = service.mark is not None
    if is_marked and "protocol" in origins:
        why = "the protocol of a mark's service is decided by the rule that sets the mark"
        ledger.note(origins["protocol"], Verdict.EXACT, why)
    persistence_s, mask = _persistence(service, ledger)
    return VirtualService(
        address=None if service.mark is not None else service.address,
        port=None if service.mark is not None else service.port,
        mark=service.mark,
        name=service.name,
        mark_rules=mark_rules_of(service, method, options, ledger),
        protocol=None if is_marked else service.protocol,
        scheduler=service.scheduler,
        forwarding=forwarding,
        persistence_s=persistence_s,
        persistence_mask=mask,
        inhibits_on_failure=service.inhibits_on_failure,
        connect=Connect(
            loop_ms=interval_ms, origins={"loop_ms": _places_of_interval(nanny, servers)}
        ),
        real_servers=servers,
        sorry_server=_sorry_server(service, is_marked=is_marked, ledger=ledger),
        origins=origins,
    )


def _places_of_interval(nanny: NannyCheck, servers: tuple[RealServer, ...]) -> tuple[Place, ...]:
    """Where keepalived checks by itself a server is back after one interval, whatever reentry
    was."""
    places = nanny.origins.get("timeout_ms", ())
    if all(isinstance(check, MiscCheck) for server in servers for check in server.checks):
        return places
    return (*places, *nanny.origins.get("reentry_ms", ()))


def _note_defaults(service: VirtualService, ledger: Ledger) -> None:
    """Statements that say what holds without them."""
    nothing = "this is what holds without the statement"
    if not service.inhibits_on_failure:
        ledger.field(service.origins, "inhibits_on_failure", Verdict.EXACT, nothing)
    if service.persistence_s is None:
        ledger.field(service.origins, "persistence_s", Verdict.EXACT, nothing)
    if service.mark is None:
        ledger.field(service.origins, "mark", Verdict.EXACT, nothing)


def _persistence(service: VirtualService, ledger: Ledger) -> tuple[int | None, str | None]:
    seconds, mask, origins = service.persistence_s, service.persistence_mask, service.origins
    if seconds is not None and seconds > LONGEST_PERSISTENCE_S:
        why = f"{seconds} s is more than keepalived takes; {LONGEST_PERSISTENCE_S} s written"
        ledger.field(origins, "persistence_s", Verdict.APPROXIMATED, why)
        seconds = LONGEST_PERSISTENCE_S
    if mask is None:
        return seconds, None
    if mask == "255.255.255.255":
        why = "each client counts alone, which is what holds without the statement"
        ledger.field(origins, "persistence_mask", Verdict.EXACT, why)
        return seconds, None
    if seconds is None:
        why = "lvsd ignored pmask without persistent; in keepalived it would switch persistence on"
        ledger.idle(origins.get("persistence_mask", ()), why)
        return None, None
    return seconds, mask


def _servers(
    service: VirtualService, forwarding: Forwarding, options: ConvertOptions, ledger: Ledger
) -> tuple[RealServer, ...]:
    found: dict[tuple[str, int | None], RealServer] = {}
    checks = _Checks(service, options, ledger)
    for server in service.real_servers:
        reason = _unusable(server)
        if reason is not None:
            for places in server.origins.values():
                if server.is_active:
                    ledger.note(places, Verdict.DROPPED, *reason)
                else:
                    ledger.idle(places, *reason)
            continue
        server = _with_port(service, server, forwarding, ledger)
        key = server.address, None if service.mark is not None else server.port
        if key in found:
            why = f"{server.address} is in this virtual already; ipvsadm refused it again"
            for places in server.origins.values():
                ledger.note(places, Verdict.DROPPED, why, "remove one of the two")
            continue
        origins = dict(server.origins)
        used = (*origins.get("is_active", ()), *origins.get("address", ()))
        origins[SELF] = (*origins[SELF], *used)
        found[key] = RealServer(
            address=server.address,
            port=key[1],
            name=server.name,
            weight=_weight(server, ledger),
            checks=(checks.of(server),),
            origins=origins,
        )
    return tuple(found.values())


class _Checks:
    """Checks of a service's servers; one that does not speak of its server is made once for all
    that are asked on the same port."""

    def __init__(self, service: VirtualService, options: ConvertOptions, ledger: Ledger) -> None:
        self._service = service
        self._options = options
        self._ledger = ledger
        self._known: dict[tuple[int | None, tuple[Place, ...]], Check] = {}

    def of(self, server: RealServer) -> Check:
        """The check of `server`."""
        key = server.port, server.origins.get("port", ()) if self._service.mark is not None else ()
        known = self._known.get(key)
        if known is None:
            known = lower_check(self._service, server, self._options, self._ledger)
            if not isinstance(known, MiscCheck):
                self._known[key] = known
        return known


def _unusable(server: RealServer) -> tuple[str, str] | None:
    if not server.is_active:
        return "active is 0 or missing: lvsd skipped the server", ""
    if not server.address:
        return "the server has no address", "add one"
    if inet_aton(server.address) is None:
        why = f"{server.address} is a host name, and a real server must be an address"
        return why, "write the address into the lvs.cf and convert again"
    return None


def _with_port(
    service: VirtualService, server: RealServer, forwarding: Forwarding, ledger: Ledger
) -> RealServer:
    """The port keepalived is to use. Direct routing and tunnelling change no ports."""
    if server.port == service.port:
        return server
    origins: Origins = server.origins
    is_mapped = forwarding.method == MASQUERADE
    if is_mapped and service.mark is not None:
        why = (
            "keepalived gives the servers of a mark no port: packets keep theirs, and "
            f"{server.port} is only checked"
        )
        todo = f"let the service on {server.address} listen on the port that clients ask for"
        ledger.note(origins.get("port", origins[SELF]), Verdict.APPROXIMATED, why, todo)
        return server
    if "port" not in origins:
        below = f"port {service.port} stands below this server, so pulse gave it port {server.port}"
        if is_mapped:
            todo = f"write port = {service.port} into the block if that is meant"
            ledger.note(origins[SELF], Verdict.EXACT, f"{below}, as it has here", todo)
            return server
        ledger.note(origins[SELF], Verdict.REPAIRED, f"{below}; the virtual's port is meant")
        return replace(server, port=service.port)
    if is_mapped or service.mark is not None:
        return server
    why = (
        f"port {server.port} differs from the virtual's {service.port}, and {forwarding.method} "
        "changes no ports: this could never work and took all of lvsd down"
    )
    todo = f"let the service on {server.address} listen on port {service.port}"
    ledger.field(origins, "port", Verdict.REPAIRED, why, todo)
    return replace(server, port=service.port)


def _weight(server: RealServer, ledger: Ledger) -> int:
    weight = server.weight if server.weight is not None else 1
    if weight <= 0:
        why = f"weight {weight} became 1 in nanny, and the server got requests; 1 written"
        todo = "" if weight == 0 else "write the weight that is meant"
        ledger.field(server.origins, "weight", Verdict.REPAIRED, why, todo)
        return 1
    if weight > LARGEST_WEIGHT:
        why = f"keepalived takes weights up to {LARGEST_WEIGHT}"
        ledger.field(server.origins, "weight", Verdict.APPROXIMATED, why)
        return LARGEST_WEIGHT
    if weight > 1:
        why = (
            f"nanny raised a new server's weight slowly (from {max(weight >> 5, 1)}, doubled about "
            "every 20 s); keepalived sets it at once"
        )
        ledger.field(server.origins, "weight", Verdict.APPROXIMATED, why)
    return weight


def _sorry_server(
    service: VirtualService, *, is_marked: bool, ledger: Ledger
) -> SorryServer | None:
    sorry = service.sorry_server
    if sorry is None:
        return None
    places = sorry.origins.get("address", ())
    if address_or_none(sorry.address, "a sorry server", places, ledger) is None:
        return None
    why = (
        "lvsd 0.8.6 announced the sorry server but never gave it to the kernel; with keepalived it "
        "works"
    )
    if sorry.address.startswith("127."):
        todo = "let the service answer on both directors themselves, which this address means"
    else:
        todo = f"prepare {sorry.address} for it; the output has a folder unless it is a director"
    ledger.note(places, Verdict.REPAIRED, why, todo)
    return replace(sorry, port=None if is_marked else service.port)
