"""Values for the fields of models made at random: routing, tracking, and what few files have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from drctl.model.routing import Hop, Route, Rule, TrackGroup
from drctl.model.setting import Fifo, Namespace, PacketFilter, TlsClient, VrrpDefaults
from drctl.model.tracking import (
    BfdSession,
    GarpGroup,
    InterfaceDelay,
    PolledLink,
    TrackFile,
    TrackProcess,
)
from drctl.model.vrrp import HmacAuthentication, HmacKey, Ipvlan, Vmac

Strategy = st.SearchStrategy[Any]
Values = dict[str, Strategy]


def maybe(strategy: Strategy) -> Strategy:
    """The value, or None."""
    return st.none() | strategy


def tuples(strategy: Strategy, largest: int = 2) -> Strategy:
    """Some of it."""
    return st.lists(strategy, max_size=largest).map(tuple)


NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,15}", fullmatch=True)
DEVICES = st.from_regex(r"[a-z][a-z0-9.]{0,14}", fullmatch=True)
WORDS = st.sampled_from(("a", "two words", "#!{}", "/run/x"))
SWITCHES = maybe(st.booleans())
IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).map(str)
BYTES = st.integers(0, 255)
U32 = st.integers(0, 2**32 - 1)
U31 = st.integers(0, 2**31 - 1)
WEIGHTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"weight": st.integers(-253, 253), "is_reversed": st.booleans()}
) | st.just({})


def _networks(addresses: Strategy, bits: int) -> Strategy:
    return st.builds(
        lambda address, length: address if length == bits else f"{address}/{length}",
        addresses,
        st.integers(0, bits),
    )


def _tracked(is_static: bool) -> Values:
    group = maybe(NAMES) if is_static else st.none()
    return {"is_tracked": st.booleans(), "track_group": group}


def _hops(addresses: Strategy) -> Strategy:
    return tuples(
        st.builds(
            Hop,
            via=maybe(addresses),
            device=maybe(DEVICES),
            weight=maybe(st.integers(1, 256)),
            options=st.sampled_from(((), (("onlink", ""),))),
        )
    )


def _routes_of(family: str, *, is_static: bool) -> Strategy:
    is_four = family == "inet"
    addresses, bits = (IPV4, 32) if is_four else (IPV6, 128)
    own = (("realms", "1/2"),) if is_four else (("expires", "9"), ("pref", "low"))
    return st.builds(
        Route,
        destination=_networks(addresses, bits) | st.just("default"),
        family=st.just(family),
        kind=maybe(st.sampled_from(("blackhole", "unreachable"))),
        via=maybe(addresses),
        device=DEVICES,  # without one no group can be watched
        source=maybe(addresses),
        table=maybe(st.sampled_from(("main", "100"))),
        metric=maybe(U32),
        scope=maybe(st.sampled_from(("link", "253"))),
        options=st.sampled_from(
            ((), own, (("mtu", "lock 1400"), ("tos", "16"), ("onlink", ""), ("rtt", "10ms")))
        ),
        hops=_hops(addresses),
        **_tracked(is_static),
    )


def routes(*, is_static: bool) -> Strategy:
    """Routes of both families."""
    four, six = (_routes_of(one, is_static=is_static) for one in ("inet", "inet6"))
    return tuples(four | six)


def _rules_of(family: str, *, is_static: bool) -> Strategy:
    addresses, bits = (IPV4, 32) if family == "inet" else (IPV6, 128)
    networks = maybe(_networks(addresses, bits) | st.just("all"))
    actions = st.sampled_from(
        (
            {"action": "table", "table": "100"},
            {"action": "table", "table": "main"},
            {"action": "goto", "target": 2**32 - 1},
            *({"action": one} for one in ("nop", "blackhole", "prohibit", "l3mdev")),
        )
    )
    marks: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {"mark": U32, "mark_mask": maybe(U32)}
    ) | st.just({})
    return st.builds(
        lambda action, mark, **rest: Rule(**action, **mark, **rest),
        action=actions,
        mark=marks,
        family=st.just(family),
        priority=st.integers(0, 2**32 - 2),
        is_inverted=st.booleans(),
        source=networks,
        destination=networks,
        in_device=DEVICES,
        out_device=maybe(DEVICES),
        options=st.sampled_from(((), (("ipproto", "tcp"), ("dport", "1-2")), (("tos", "8"),))),
        **_tracked(is_static),
    )


def rules(*, is_static: bool) -> Strategy:
    """Rules of both families."""
    four, six = (_rules_of(one, is_static=is_static) for one in ("inet", "inet6"))
    return tuples(four | six)


_GARP: Values = {
    "garp_master_delay_s": maybe(st.integers(0, 4294)),
    "garp_master_repeat": maybe(U32),
    "garp_master_refresh_s": maybe(U32),
    "garp_master_refresh_repeat": maybe(U32),
    "garp_lower_prio_delay_s": maybe(st.integers(0, 4294)),
    "garp_lower_prio_repeat": maybe(U31),
    "is_silent_to_lower": SWITCHES,
    "answers_higher": SWITCHES,
    "ignores_adverts_as_owner": SWITCHES,
    "has_v2_checksum": SWITCHES,
    "notifies_priority": SWITCHES,
}
INSTANCE: Values = {
    **_GARP,
    "routes": routes(is_static=False),
    "rules": rules(is_static=False),
    "garp_extra_s": maybe(st.integers(0, 86_400)),
    "is_strict": SWITCHES,
    "accepts": SWITCHES,
    "skips_address_check": SWITCHES,
    "multicast_group": maybe(st.sampled_from(("224.0.0.19", "ff02::13"))),
    "unicast_ttl": maybe(BYTES),
    "old_checksum": st.sampled_from((None, "accepted", "never")),
    "vmac": maybe(st.builds(Vmac, maybe(DEVICES), maybe(st.just("02:00:00:00:01")))),
    "ipvlan": maybe(
        st.builds(
            Ipvlan,
            maybe(DEVICES.map("i".__add__)),
            st.just("192.0.2.3"),
            maybe(st.integers(0, 32)),
            maybe(st.sampled_from(("bridge", "private", "vepa"))),
        )
    ),
    "vrf": maybe(DEVICES),
    "hmac": maybe(
        st.builds(
            HmacAuthentication,
            st.lists(st.builds(HmacKey, st.integers(1, 255), WORDS), min_size=1).map(tuple),
            maybe(st.integers(1, 255)),
            maybe(st.just("enforce")),
            maybe(st.just("time")),
            maybe(st.integers(1, 300)),
        )
    ),
    "late_priority": maybe(st.integers(1, 254)),
    "receive_buffer_bytes": maybe(U32),
    "debug_level": maybe(st.integers(0, 4)),
    **dict.fromkeys(
        (
            *("is_ipv6", "needs_no_vip", "promotes_secondaries", "tracks_interface"),
            *("tracks_source", "polls_link", "checks_unicast_source", "is_fault_without_peer"),
            *("has_vmac_addresses", "sends_from_base"),
        ),
        st.booleans(),
    ),
}
_DEFAULTS = st.builds(
    VrrpDefaults,
    **_GARP,
    default_interface=maybe(DEVICES),
    has_dynamic_interfaces=st.booleans(),
    has_local_igmp=st.booleans(),
    multicast_group_ipv4=maybe(st.just("224.0.0.19")),
    multicast_group_ipv6=maybe(st.just("ff02::13")),
    down_timer_adverts=maybe(st.integers(1, 100)),
    garp_interval_us=maybe(st.integers(1, 2**32 - 1)),
    gna_interval_us=maybe(st.integers(1, 2**32 - 1)),
    has_fewest_garps=SWITCHES,
    garp_extra_s=maybe(st.integers(1, 86_400)),
    checks_unicast_source=st.booleans(),
    skips_address_check=st.booleans(),
    startup_delay_us=maybe(st.integers(1_000, 2**32 - 1)),
    boot_delay_us=maybe(st.integers(1_000, 2**32 - 1)),
    vmac_prefix=maybe(NAMES),
    vmac_address_prefix=maybe(NAMES),
    receive_buffer_policy=maybe(st.sampled_from(("MTU", "ADVERT", "4096"))),
    receive_buffer_factor=maybe(st.integers(1, 2**32 - 1)),
    logs_unknown_routers=st.booleans(),
)
_FILTERS = st.builds(
    PacketFilter,
    iptables=maybe(st.sampled_from(("", "in", "in out"))),
    ipsets=maybe(st.sampled_from(("", "a b c"))),
    nftables=maybe(st.just("") | WORDS),
    nftables_priority=maybe(st.integers(-(2**31), 2**31 - 1)),
    has_counters=st.booleans(),
    has_interface_numbers=st.booleans(),
    ipvs_nftables=maybe(st.just("") | WORDS),
    ipvs_nftables_priority=maybe(st.integers(-(2**31), 2**31 - 1)),
    ipvs_first_mark=maybe(st.integers(1, 2**32 - 1)),
)
_FIFOS = maybe(
    st.builds(Fifo, WORDS) | st.builds(Fifo, WORDS, NAMES) | st.builds(Fifo, WORDS, NAMES, NAMES)
)


def _said(values: Strategy) -> Strategy:
    """The object, unless it says nothing: then there is none."""
    return values.map(lambda one: None if one == type(one)() else one)


SETTINGS: Values = {
    "smtp_helo_name": maybe(WORDS),
    "flushed_on_stop": st.sampled_from((None, "all", "services")),
    "startup_timeout_s": maybe(st.integers(1, 1000)),
    "shutdown_timeout_s": maybe(st.integers(1, 1000)),
    "vrrp": _said(_DEFAULTS),
    "packet_filter": _said(_FILTERS),
    "has_fault_mail": st.booleans(),
    "repeats_states_on_reload": st.booleans(),
    **dict.fromkeys(("fifo", "vrrp_fifo", "lvs_fifo"), _FIFOS),
    **dict.fromkeys(
        (
            *("sends_mail", "vrrp_sends_mail", "checks_send_mail", "has_no_check_mail"),
            *("logs_check_failures", "notifies_first_state"),
        ),
        SWITCHES,
    ),
}
URL: Values = {
    "is_regex_inverted": st.booleans(),
    "regex_options": st.sampled_from(((), ("caseless", "utf"))),
    "regex_from_bytes": maybe(U32),
    "regex_to_bytes": maybe(U32),
    "regex_stack_bytes": maybe(st.tuples(U32, U32)),
    "is_tls_compliant": SWITCHES,
}
_TRACK_FILES = st.builds(
    lambda weight, start, **rest: TrackFile(**weight, **start, **rest),
    weight=WEIGHTS,
    start=st.just({})
    | st.fixed_dictionaries({"initial": st.integers(-254, 254), "overwrites": st.booleans()}),
    name=WORDS,
    path=maybe(WORDS),
)
_PROCESSES = st.builds(
    lambda weight, program, **rest: TrackProcess(**weight, **program, **rest),
    weight=WEIGHTS,
    program=st.just({}) | st.fixed_dictionaries({"program": WORDS, "arguments": tuples(WORDS)}),
    name=WORDS,
    match=st.sampled_from((None, "exact", "initial", "partial")),
    quorum=maybe(st.integers(1, 65535)),
    quorum_max=maybe(st.integers(0, 65535)),
    fork_delay_us=maybe(st.integers(1, 3_600_000_000)),
    terminate_delay_us=maybe(st.integers(1, 3_600_000_000)),
    is_full_command=st.booleans(),
)
_SESSIONS = st.builds(
    lambda weight, **rest: BfdSession(**weight, **rest),
    weight=WEIGHTS,
    name=NAMES,
    neighbor=maybe(IPV4 | IPV6),
    source=maybe(IPV4),
    min_receive_us=maybe(st.integers(1_000, 4_294_967_000)),
    min_send_us=maybe(st.integers(1_000, 4_294_967_000)),
    idle_send_us=maybe(st.integers(1_000_000, 4_294_967_000)),
    multiplier=maybe(st.integers(1, 255)),
    is_passive=st.booleans(),
    ttl=maybe(st.integers(1, 255)),
    max_hops=maybe(st.integers(-1, 255)),
    tells_vrrp=st.booleans(),
    tells_checks=st.booleans(),
    is_multihop=SWITCHES,
)
CONFIGURATION: Values = {
    "namespace": _said(
        st.builds(Namespace, maybe(NAMES), maybe(st.just("") | NAMES), st.booleans())
    ),
    "polls_links": st.booleans(),
    "tls": _said(st.builds(TlsClient, maybe(WORDS), maybe(WORDS), maybe(WORDS), maybe(WORDS))),
    "track_groups": st.lists(
        st.builds(TrackGroup, NAMES, tuples(NAMES)), max_size=2, unique_by=lambda one: one.name
    ).map(tuple),
    "static_routes": routes(is_static=True),
    "static_rules": rules(is_static=True),
    "track_files": tuples(_TRACK_FILES),
    "track_processes": tuples(_PROCESSES),
    "bfd_sessions": st.lists(_SESSIONS, max_size=2, unique_by=lambda one: one.name).map(tuple),
    "garp_groups": tuples(
        st.builds(
            GarpGroup,
            tuples(DEVICES, 3),
            maybe(st.integers(0, 2_147_483_647)),
            maybe(st.integers(0, 2_147_483_647)),
        )
    ),
    "interface_delays": tuples(
        st.builds(
            InterfaceDelay,
            DEVICES,
            st.integers(0, 255_000_000),
            maybe(st.integers(0, 255_000_000)),
        )
    ),
    "polled_links": tuples(st.builds(PolledLink, DEVICES, maybe(st.just("ETHTOOL")))),
}
