"""Instances and sync groups of a keepalived.conf, by table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from drctl.model.origin import SELF
from drctl.model.vrrp import (
    Authentication,
    HmacAuthentication,
    HmacKey,
    Ipvlan,
    SyncGroup,
    Vmac,
    VrrpInstance,
)
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_address import length, peer, vip
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Inline,
    Lines,
    Spread,
    Table,
    Values,
    body_of,
    only_name,
    read_block,
    refuse,
)
from drctl.readers.keepalived_hook import hook_table, hooks_of
from drctl.readers.keepalived_tracking import track_table
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Document, Statement, walk
from drctl.text.place import Place

if TYPE_CHECKING:
    from drctl.model.routing import Route, Rule

INSTANCE_EVENTS = ("master", "backup", "fault", "stop", "master_rx_lower_pri")
GROUP_EVENTS = ("master", "backup", "fault", "stop")


def _notify_table(events: Iterable[str]) -> Table:
    keywords = {f"notify_{event}": event for event in events} | {"notify": "notify"}
    return hook_table(keywords, keeps_first=True)


def _names(words: Words, place: Place) -> Iterable[str]:
    del place
    return words.rest()


def _route(words: Words, place: Place) -> Iterable[Route]:
    from drctl.readers.keepalived_routing import route

    return route(words, place, is_static=False)


def _rule(words: Words, place: Place) -> Iterable[Rule]:
    from drctl.readers.keepalived_routing import rule

    return rule(words, place, is_static=False)


_MAC = frozenset("0123456789ABCDEFabcdef:")
_IPVLAN_MODES = frozenset({"bridge", "private", "vepa"})


def _vmac(words: Words) -> Vmac:
    """The device's name and its MAC address, in any order."""
    found: dict[str, str] = {}
    ignored = []
    for word in words.rest():
        field = "address" if ":" in word else "name"
        if field in found or len(found) == 2 or (field == "address" and not _MAC.issuperset(word)):
            ignored.append(word)
        else:
            found[field] = word
    words.leave(ignored)
    return Vmac(**found)


def _ipvlan(words: Words) -> Ipvlan:
    """The device's name, its address and its mode, in any order."""
    found: dict[str, Any] = {}
    ignored = []
    for word in words.rest():
        one = _ipvlan_part(word)
        if one.keys() & found.keys():
            ignored.append(word)
        else:
            found.update(one)
    words.leave(ignored)
    return Ipvlan(**found)


def _ipvlan_part(word: str) -> dict[str, Any]:
    if word in _IPVLAN_MODES:
        return {"mode": word}
    try:
        address, prefix, bad = length(word)
    except ValueError:
        return {"name": word}
    return {"name": word} if bad else {"address": address, "prefix": prefix}


def _old_checksum(words: Words) -> str:
    return "accepted" if words.peek() is None else str(w.choice("never")(words))


def _late_priority(words: Words) -> int:
    """The priority of the backup that is to be waited for: the highest unless given."""
    return w.HIGHEST_PRIORITY if words.peek() is None else int(w.integer(1, 254)(words))


def _hmac_key(words: Words) -> HmacKey:
    return HmacKey(w.whole(words.take("the number"), 1, 255), words.take("the key"))


_DELETED = "hook.deleted"
_SYNC = "lvs_sync_daemon_interface"
"""What an instance says for the whole director, instead of lvs_sync_daemon in global_defs."""

_INSTANCE: Table = {
    "state": Field("state", w.choice("MASTER", "BACKUP")),
    "interface": Field("interface", w.text),
    "virtual_router_id": Field("virtual_router_id", w.integer(1, 255)),
    "priority": Field("priority", w.integer(1, 255)),
    "advert_int": Field("advert_ms", w.milliseconds(10, 255_000)),
    "down_timer_adverts": Field("down_timer_adverts", w.integer(1, 100)),
    "nopreempt": Field("is_preempting", w.cleared),
    "preempt": Field("is_preempting", w.flag),
    "preempt_delay": Field("preempt_delay_ms", w.milliseconds(0, 1_000_000)),
    "version": Field("version", w.integer(2, 3)),
    "unicast_src_ip": Field("unicast_source", w.endpoint),
    "unicast_peer": Lines("unicast_peers", peer),
    "mcast_src_ip": Field("multicast_source", w.endpoint),
    "authentication": Inline(
        "authentication",
        {
            "auth_type": Field("authentication.kind", w.choice("PASS", "AH")),
            "auth_pass": Field("authentication.password", w.text),
        },
    ),
    "virtual_ipaddress": Lines("vips", vip(is_excluded=False), key="virtual_ipaddress"),
    "virtual_ipaddress_excluded": Lines(
        "vips", vip(is_excluded=True), key="virtual_ipaddress_excluded"
    ),
    "virtual_routes": Lines("routes", _route, key="virtual_routes"),
    "virtual_rules": Lines("rules", _rule, key="virtual_rules"),
    "smtp_alert": Field("sends_mail", w.boolean),
    _SYNC: Field(_SYNC, w.text, keeps_first=True),
    "garp_master_delay": Field("garp_master_delay_s", w.integer(0, 4294)),
    "garp_master_refresh": Field("garp_master_refresh_s", w.seconds),
    "garp_master_repeat": Field("garp_master_repeat", w.seconds),
    "garp_master_refresh_repeat": Field("garp_master_refresh_repeat", w.seconds),
    "garp_lower_prio_delay": Field("garp_lower_prio_delay_s", w.integer(0, 4294)),
    "garp_lower_prio_repeat": Field("garp_lower_prio_repeat", w.integer(0, 2**31 - 1)),
    **dict.fromkeys(("garp_extra_if", "vmac_garp_intvl"), Spread("garp_extra_s", w.garp_extra(0))),
    "strict_mode": Field("is_strict", w.boolean),
    "accept": Field("accepts", w.flag),
    "no_accept": Field("accepts", w.cleared),
    "native_ipv6": Field("is_ipv6", w.flag),
    "no_virtual_ipaddress": Field("needs_no_vip", w.flag),
    "promote_secondaries": Field("promotes_secondaries", w.flag),
    "dont_track_primary": Field("tracks_interface", w.cleared),
    "track_src_ip": Field("tracks_source", w.flag),
    "linkbeat_use_polling": Field("polls_link", w.flag),
    "mcast_dst_ip": Field("multicast_group", w.endpoint),
    "unicast_ttl": Field("unicast_ttl", w.integer(0, 255)),
    "check_unicast_src": Field("checks_unicast_source", w.flag),
    "unicast_fault_no_peer": Field("is_fault_without_peer", w.flag),
    "old_unicast_checksum": Field("old_checksum", _old_checksum),
    "use_vmac": Field("vmac", _vmac),
    "use_ipvlan": Field("ipvlan", _ipvlan, keeps_first=True),
    "use_vmac_addr": Field("has_vmac_addresses", w.flag),
    "vmac_xmit_base": Field("sends_from_base", w.flag),
    "vrf": Field("vrf", w.text, keeps_first=True),
    "auth_hmac": Inline(
        "hmac",
        {
            "key": Field("hmac.keys", _hmac_key, joins=True),
            "active_key": Field("hmac.active_key", w.integer(1, 255)),
            "mode": Field("hmac.mode", w.choice("enforce", "permissive", "receive-only")),
            "anti_replay": Field("hmac.anti_replay", w.choice("time", "monotonic")),
            "time_window": Field("hmac.time_window_s", w.integer(1, 300)),
        },
    ),
    "skip_check_adv_addr": Field("skips_address_check", w.boolean),
    "lower_prio_no_advert": Field("is_silent_to_lower", w.boolean),
    "higher_prio_send_advert": Field("answers_higher", w.boolean),
    "owner_ignore_adverts": Field("ignores_adverts_as_owner", w.boolean),
    "v3_checksum_as_v2": Field("has_v2_checksum", w.boolean),
    **dict.fromkeys(
        ("timer_expired_backup", "thread_timer_expired"), Field("late_priority", _late_priority)
    ),
    "kernel_rx_buf_size": Field("receive_buffer_bytes", w.seconds),
    "debug": Field("debug_level", w.integer(0, 4)),
    "notify_priority_changes": Field("notifies_priority", w.boolean),
    **track_table(),
    **_notify_table(INSTANCE_EVENTS),
    "notify_deleted": Field(_DELETED, w.maybe_owned_command, keeps_first=True),
}


def instance(context: Context, statement: Statement) -> VrrpInstance:
    """A vrrp_instance block."""
    name = only_name(statement)
    values = read_block(context, body_of(statement), _INSTANCE)
    if _SYNC in values.values:
        _take_sync_daemon(context, values, statement, name)
    places = values.places.get(_DELETED)
    if places is not None and values.values[_DELETED] is None:
        # without a command the state alone is told
        values.values["notifies_deletion"] = True
        values.places["notifies_deletion"] = values.places.pop(_DELETED)
    fields = values.outer()
    if values.get("state") == "BACKUP" and _was_master(statement):
        fields["state"] = "MASTER"
    authentication = None
    if inner := values.inner("authentication"):
        opened = {SELF: tuple(values.places["authentication"])}
        inner["origins"] = {**opened, **inner["origins"]}
        authentication = Authentication(**{"kind": None, **inner})
    if inner := values.inner("hmac"):
        opened = {SELF: tuple(values.places["hmac"])}
        fields["hmac"] = HmacAuthentication(
            **{**inner, "origins": {**opened, **inner["origins"]}},
        )
    return VrrpInstance(
        name,
        **fields,
        authentication=authentication,
        hooks=hooks_of(values),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), "name"),
    )


def _take_sync_daemon(
    context: Context, values: Values, statement: Statement, instance: str
) -> None:
    """Give the settings the sync daemon that an instance asks for, unless they have one."""
    interface = values.values.pop(_SYNC)
    places = values.places.pop(_SYNC)
    settings = context.settings
    if "sync_daemon" in settings.values or _has_sync_daemon(context.document):
        _leave_sync_daemon(context, values, statement)
        return
    settings.values["sync_daemon"] = {"interface": interface, "instance": instance}
    settings.places["sync_daemon"] = places


def _leave_sync_daemon(context: Context, values: Values, statement: Statement) -> None:
    """The statement is a leftover, in its place among the others."""
    before: set[tuple[str, int, int]] = set()
    for node in body_of(statement):
        if not isinstance(node, Statement):
            continue
        if node.keyword == _SYNC:
            refuse(context, values, node, "keepalived keeps the sync daemon set elsewhere")
            last = values.leftovers.pop()
            places = [left.place for left in values.leftovers]
            index = sum(place is not None and place[:3] in before for place in places)
            values.leftovers.insert(index, last)
            return
        before.update(context.place(one)[:3] for one in walk((node,)))


def _has_sync_daemon(document: Document) -> bool:
    """Whether a global_defs says `lvs_sync_daemon`, which holds wherever it stands."""
    return any(
        isinstance(node, Statement) and node.keyword == "lvs_sync_daemon"
        for outer in document.children
        if isinstance(outer, Statement) and outer.keyword == "global_defs"
        for node in body_of(outer)
    )


def _was_master(statement: Statement) -> bool:
    """Whether the block says `state MASTER`, which a later BACKUP does not undo in keepalived."""
    return any(
        isinstance(node, Statement) and node.keyword == "state" and node.values[:1] == ("MASTER",)
        for node in body_of(statement)
    )


_GROUP: Table = {
    "group": Lines("members", _names, keeps_first=True),
    "smtp_alert": Field("sends_mail", w.boolean),
    "notify_priority_changes": Field("notifies_priority", w.boolean),
    **dict.fromkeys(
        ("sync_group_tracking_weight", "global_tracking"), Field("tracks_with_weight", w.flag)
    ),
    **track_table(),
    **_notify_table(GROUP_EVENTS),
}


def sync_group(context: Context, statement: Statement) -> SyncGroup:
    """A vrrp_sync_group block."""
    name = only_name(statement)
    values = read_block(context, body_of(statement), _GROUP)
    return SyncGroup(
        name,
        **values.outer(),
        hooks=hooks_of(values),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), "name"),
    )
