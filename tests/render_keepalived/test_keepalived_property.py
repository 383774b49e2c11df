"""Models made at random: rendered and read again they are the same, and every value arrives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import model_values as more
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keepalived_case import difference, model_of, rendered

from drctl.model.check import (
    BfdCheck,
    Connect,
    DnsCheck,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    SmtpHost,
    TcpCheck,
    UdpCheck,
    Url,
)
from drctl.model.configuration import Configuration
from drctl.model.origin import Leftover
from drctl.model.pair import Address, Hook, IpvsTimeouts, Settings, SyncDaemon
from drctl.model.service import (
    DIRECT,
    MASQUERADE,
    TUNNEL,
    Forwarding,
    GroupEntry,
    RealServer,
    ServiceGroup,
    SorryServer,
    VirtualService,
)
from drctl.model.vrrp import (
    Authentication,
    SyncGroup,
    Track,
    TrackScript,
    UnicastPeer,
    Vip,
    VrrpInstance,
)

Strategy = st.SearchStrategy[Any]


def _maybe(strategy: Strategy) -> Strategy:
    return st.none() | strategy


def _tuples(strategy: Strategy, largest: int = 3) -> Strategy:
    return st.lists(strategy, max_size=largest).map(tuple)


def _is_plain(text: str) -> bool:
    """No template tag, no use or start of a definition: those are never values of a model."""
    return not any(mark in text for mark in ("{{", "{%", "<%", "{#", "$", "~"))


_ODD = '"\x7f\x85\u2028\u2029\ue000\ue001'
_TEXTS = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters=_ODD), min_size=1
).filter(_is_plain)
_NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,15}", fullmatch=True)
_DEVICES = st.from_regex(r"[a-z][a-z0-9.:-]{0,14}", fullmatch=True)
_COMMANDS = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters=_ODD), min_size=1
).filter(_is_plain)
_ADDRESSES = (st.ip_addresses(v=4) | st.ip_addresses(v=6)).map(str)
_PORTS = st.integers(1, 65535)
_U32 = st.integers(0, 2**32 - 1)
_COUNTS = st.integers(1, 2**31 - 1)
_DELAYS = st.integers(0, 4_294_967)
_USERS = st.tuples(_NAMES, _maybe(_NAMES))


def _leftovers() -> Strategy:
    """Statements without a field, with and without blocks."""
    line = st.from_regex(r"x_[a-z]{1,8}( [a-z0-9/.]{1,8}){0,3}", fullmatch=True)
    block = st.tuples(line, st.lists(line, max_size=3)).map(
        lambda found: "\n".join((f"{found[0]} {{", *(f"  {one}" for one in found[1]), "}"))
    )
    return _tuples((line | block).map(Leftover), 2)


def _hooks(*events: str) -> Strategy:
    def hook(event: str) -> Strategy:
        return st.builds(
            lambda command, owner: Hook(event, command, *owner),
            _COMMANDS,
            st.just((None, None)) | _USERS,
        )

    return st.lists(st.sampled_from(events), unique=True, max_size=3).flatmap(
        lambda chosen: st.tuples(*(hook(event) for event in chosen))
    )


_VIPS = st.builds(
    Vip,
    address=_ADDRESSES,
    prefix=_maybe(st.integers(0, 32)),
    device=_maybe(_DEVICES),
    label=_maybe(_DEVICES),
    options=st.sampled_from(((), ("scope", "global"), ("brd", "192.0.2.255", "no_track"))),
    is_excluded=st.booleans(),
)
_TRACKS = st.builds(
    lambda weight, options, **rest: Track(
        **rest, weight=weight, options=() if weight is None else options
    ),
    kind=st.sampled_from(("interface", "script", "file", "process", "bfd")),
    name=_NAMES,
    weight=_maybe(st.integers(-254, 254)),
    options=st.sampled_from(((), ("reverse",))),
)
_INSTANCES = st.builds(
    VrrpInstance,
    name=_TEXTS,
    state=_maybe(st.sampled_from(("MASTER", "BACKUP"))),
    interface=_maybe(_DEVICES),
    virtual_router_id=_maybe(st.integers(1, 255)),
    priority=_maybe(st.integers(1, 255)),
    advert_ms=_maybe(st.integers(10, 255_000)),
    down_timer_adverts=_maybe(st.integers(1, 100)),
    is_preempting=st.booleans(),
    preempt_delay_ms=_maybe(st.integers(0, 1_000_000)),
    version=_maybe(st.integers(2, 3)),
    unicast_source=_maybe(_ADDRESSES),
    unicast_peers=_tuples(
        st.builds(UnicastPeer, _ADDRESSES, st.sampled_from(((), ("min_ttl", "7"))))
    ),
    multicast_source=_maybe(_ADDRESSES),
    authentication=_maybe(
        st.builds(Authentication, st.sampled_from(("PASS", "AH")), _maybe(_TEXTS))
    ),
    vips=_tuples(_VIPS),
    tracks=_tuples(_TRACKS),
    hooks=_hooks("master", "backup", "fault", "stop", "notify", "deleted", "master_rx_lower_pri"),
    sends_mail=_maybe(st.booleans()),
    **more.INSTANCE,
    leftovers=_leftovers(),
)
_GROUPS = st.builds(
    SyncGroup,
    name=_TEXTS,
    members=_tuples(_TEXTS),
    tracks=_tuples(_TRACKS),
    hooks=_hooks("master", "backup", "fault", "stop", "notify"),
    sends_mail=_maybe(st.booleans()),
    notifies_priority=_maybe(st.booleans()),
    tracks_with_weight=st.booleans(),
    leftovers=_leftovers(),
)
_SCRIPTS = st.builds(
    lambda owner, is_reversed, **rest: TrackScript(
        user=owner[0],
        group=owner[1],
        is_reversed=is_reversed and rest["weight"] is not None,
        **rest,
    ),
    is_reversed=st.booleans(),
    owner=st.just((None, None)) | _USERS,
    name=_TEXTS,
    command=_maybe(_COMMANDS),
    interval_ms=_maybe(_DELAYS),
    timeout_ms=_maybe(_DELAYS),
    weight=_maybe(st.integers(-253, 253)),
    rise=_maybe(_COUNTS),
    fall=_maybe(_COUNTS),
    starts_failed=st.booleans(),
    leftovers=_leftovers(),
)
_SETTINGS = st.builds(
    Settings,
    router_id=_maybe(_TEXTS),
    notification_emails=_tuples(_TEXTS),
    notification_email_from=_maybe(_TEXTS),
    smtp_server=_maybe(st.sampled_from(("192.0.2.1", "mail.example.org 25"))),
    smtp_connect_timeout_s=_maybe(st.integers(0, 4294)),
    has_script_security=st.booleans(),
    script_user=_maybe(st.sampled_from(("root", "nobody nogroup"))),
    is_vrrp_strict=st.booleans(),
    vrrp_version=_maybe(st.integers(2, 3)),
    flushes_ipvs=st.booleans(),
    sync_daemon=_maybe(
        st.builds(
            SyncDaemon,
            interface=_DEVICES,
            instance=_maybe(_NAMES.map("i".__add__)),
            sync_id=_maybe(st.integers(0, 255)),
            max_length_bytes=_maybe(st.integers(1, 65507)),
            port=_maybe(_PORTS),
            ttl=_maybe(st.integers(1, 255)),
            multicast_group=_maybe(st.just("224.0.0.81")),
        )
    ),
    ipvs_timeouts=_maybe(
        st.builds(
            IpvsTimeouts,
            tcp_s=st.integers(0, 2_678_400),
            tcpfin_s=_maybe(st.integers(0, 2_678_400)),
            udp_s=_maybe(st.integers(0, 2_678_400)),
        )
    ),
    hooks=_hooks("startup", "shutdown", "notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"),
    **more.SETTINGS,
    leftovers=_leftovers(),
)

_PACE = {
    "retries": _maybe(_U32),
    "retry_delay_ms": _maybe(_DELAYS),
    "loop_ms": _maybe(_DELAYS),
    "warmup_ms": _maybe(_DELAYS),
    "is_alpha": _maybe(st.booleans()),
    "logs_failures": _maybe(st.booleans()),
}
_CONNECTS = st.builds(
    Connect,
    address=_maybe(_ADDRESSES),
    port=_maybe(_PORTS),
    bind_address=_maybe(_ADDRESSES),
    bind_port=_maybe(_PORTS),
    bind_interface=_maybe(_DEVICES),
    mark=_maybe(_U32),
    timeout_ms=_maybe(_DELAYS),
    **_PACE,
)
_URLS = st.builds(
    Url,
    path=_maybe(_TEXTS),
    digest=_maybe(st.from_regex(r"[0-9a-f]{32}", fullmatch=True)),
    status_codes=_tuples(st.tuples(st.integers(100, 300), st.integers(300, 599))),
    virtualhost=_maybe(_TEXTS),
    **more.URL,
    leftovers=_leftovers(),
)
_CHECKS = st.one_of(
    st.builds(TcpCheck, _CONNECTS, _leftovers()),
    st.builds(PingCheck, _CONNECTS, _leftovers()),
    st.builds(
        SmtpCheck,
        _CONNECTS,
        _maybe(_TEXTS),
        _tuples(st.builds(SmtpHost, _CONNECTS, _leftovers()), 2),
        _leftovers(),
    ),
    st.builds(
        DnsCheck, _CONNECTS, _maybe(st.sampled_from(("A", "SOA"))), _maybe(_TEXTS), _leftovers()
    ),
    st.builds(
        UdpCheck,
        _CONNECTS,
        _maybe(st.just("00ff")),
        _maybe(st.sampled_from(("", "0x1x"))),
        _maybe(_PORTS),
        _maybe(_PORTS),
        _leftovers(),
    ),
    st.builds(
        HttpCheck,
        _CONNECTS,
        st.booleans(),
        _maybe(st.sampled_from(("1.0", "1.1", "1.0C"))),
        _maybe(_TEXTS),
        _maybe(st.booleans()),
        _maybe(_TEXTS),
        _maybe(st.booleans()),
        _maybe(st.booleans()),
        _tuples(_URLS, 2),
        _leftovers(),
    ),
    st.builds(
        lambda owner, **rest: MiscCheck(user=owner[0], group=owner[1], **rest),
        owner=st.just((None, None)) | _USERS,
        command=_maybe(_COMMANDS),
        timeout_ms=_maybe(_DELAYS),
        is_dynamic=st.booleans(),
        connect=st.builds(Connect, **_PACE),
        leftovers=_leftovers(),
    ),
    st.builds(BfdCheck, _maybe(_NAMES), _maybe(st.booleans()), _leftovers()),
    st.builds(
        FileCheck,
        _maybe(_NAMES),
        st.integers(-253, 253),
        _maybe(st.booleans()),
        _leftovers(),
    )
    | st.builds(FileCheck, _maybe(_NAMES), leftovers=_leftovers()),
)
_FORWARDINGS = st.builds(Forwarding, st.sampled_from((DIRECT, MASQUERADE))) | st.builds(
    Forwarding, st.just(TUNNEL), st.sampled_from(((), ("type", "gue", "port", "6080")))
)
_SERVERS = st.builds(
    RealServer,
    address=_ADDRESSES,
    port=_maybe(_PORTS),
    weight=_maybe(st.integers(0, 2**31 - 1)),
    forwarding=_maybe(_FORWARDINGS),
    upper_threshold=_maybe(_U32),
    lower_threshold=_maybe(_U32),
    inhibits_on_failure=_maybe(st.booleans()),
    timeout_ms=_maybe(_DELAYS),
    warmup_ms=_maybe(_DELAYS),
    virtualhost=_maybe(_TEXTS),
    delay_before_retry_ms=_maybe(_DELAYS),
    retries=_maybe(_COUNTS),
    loop_ms=_maybe(_DELAYS),
    is_alpha=_maybe(st.booleans()),
    sends_mail=_maybe(st.booleans()),
    snmp_name=_maybe(_TEXTS),
    checks=_tuples(_CHECKS, 2),
    hooks=_hooks("up", "down"),
    leftovers=_leftovers(),
)
_KEYS = st.one_of(
    st.fixed_dictionaries({"address": _ADDRESSES, "port": _maybe(_PORTS)}),
    st.fixed_dictionaries({"mark": _U32}),
    st.fixed_dictionaries({"group": _TEXTS}),
)
_SERVICES = st.builds(
    lambda key, **rest: VirtualService(**key, **rest),
    key=_KEYS,
    protocol=_maybe(st.sampled_from(("tcp", "udp", "sctp"))),
    scheduler=_maybe(st.sampled_from(("rr", "wlc", "sh", "mh"))),
    scheduler_flags=st.sampled_from(((), ("sh-port",), ("flag-1", "flag-3"))),
    forwarding=_maybe(_FORWARDINGS),
    persistence_s=_maybe(st.integers(1, 2_678_400)),
    persistence_mask=_maybe(st.sampled_from(("255.255.255.0", "255.255.0.255"))),
    persistence_engine=_maybe(_NAMES),
    is_one_packet=st.booleans(),
    is_alpha=st.booleans(),
    is_omega=st.booleans(),
    quorum=_maybe(_COUNTS),
    hysteresis=_maybe(_U32),
    inhibits_on_failure=st.booleans(),
    virtualhost=_maybe(_TEXTS),
    ip_family=_maybe(st.sampled_from(("inet", "inet6"))),
    has_ha_suspend=st.booleans(),
    sends_mail=_maybe(st.booleans()),
    snmp_name=_maybe(_TEXTS),
    connect=st.builds(
        Connect,
        timeout_ms=_maybe(_DELAYS),
        retries=_maybe(_COUNTS),
        retry_delay_ms=_maybe(_DELAYS),
        loop_ms=_maybe(_DELAYS),
        warmup_ms=_maybe(_DELAYS),
    ),
    weight=_maybe(_COUNTS),
    real_servers=_tuples(_SERVERS, 2),
    sorry_server=_maybe(
        st.builds(SorryServer, _ADDRESSES, _maybe(_PORTS), _maybe(_FORWARDINGS), st.booleans())
    ),
    hooks=_hooks("quorum_up", "quorum_down"),
    leftovers=_leftovers(),
)
_SERVICE_GROUPS = st.builds(
    ServiceGroup,
    name=_TEXTS,
    entries=_tuples(
        st.builds(GroupEntry, address=_ADDRESSES, port=_maybe(_PORTS))
        | st.builds(
            GroupEntry,
            address=st.just("192.0.2.1"),
            last=st.just("192.0.2.9"),
            port=_maybe(_PORTS),
        )
        | st.builds(GroupEntry, mark=_U32)
    ),
    leftovers=_leftovers(),
)
_STATIC = st.builds(
    Address,
    address=_ADDRESSES,
    prefix=_maybe(st.integers(0, 32)),
    device=_maybe(_DEVICES),
    label=_maybe(_DEVICES),
    options=st.sampled_from(((), ("scope", "link"), ("-nodad",))),
)
MODELS = st.builds(
    Configuration,
    settings=_SETTINGS,
    instances=st.lists(_INSTANCES, max_size=2, unique_by=lambda one: one.name).map(tuple),
    sync_groups=st.lists(_GROUPS, max_size=2, unique_by=lambda one: one.name).map(tuple),
    scripts=_tuples(_SCRIPTS, 2),
    static_addresses=_tuples(_STATIC, 2),
    **more.CONFIGURATION,
    service_groups=_tuples(_SERVICE_GROUPS, 2),
    services=_tuples(_SERVICES, 2),
    leftovers=_leftovers(),
)


class Case:
    """A model that a failing run shows as the file it becomes: printing the calls that made it
    takes minutes."""

    def __init__(self, model: Configuration) -> None:
        self.model = model

    def __repr__(self) -> str:
        return rendered(self.model)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        del cycle
        printer.text(repr(self))


# not shrunk: models are large, and the file that is shown says where it differs
@settings(
    deadline=None,
    max_examples=100,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(MODELS.map(Case))
def test_keepalived_file_of_any_model_reads_back_to_the_same_model(case: Case) -> None:
    model = case.model
    text = rendered(model)
    again = model_of(text)
    assert difference(replace(model, rank=again.rank), again) == ""
    assert rendered(replace(again, rank=None)) == text
