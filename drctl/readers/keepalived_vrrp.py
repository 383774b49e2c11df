"""Instances and sync groups of a keepalived.conf, by table."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.model.origin import SELF
from drctl.model.vrrp import Authentication, SyncGroup, VrrpInstance
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_address import peer, vip
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Inline,
    Lines,
    Table,
    Values,
    body_of,
    only_name,
    read_block,
    refuse,
)
from drctl.readers.keepalived_hook import hook_table, hooks_of
from drctl.readers.keepalived_routing import route, rule
from drctl.readers.keepalived_tracking import track_table
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Document, Statement, walk
from drctl.text.place import Place

INSTANCE_EVENTS = ("master", "backup", "fault", "stop", "deleted", "master_rx_lower_pri")
GROUP_EVENTS = ("master", "backup", "fault", "stop")


def _notify_table(events: Iterable[str]) -> Table:
    keywords = {f"notify_{event}": event for event in events} | {"notify": "notify"}
    return hook_table(keywords, keeps_first=True)


def _names(words: Words, place: Place) -> Iterable[str]:
    del place
    return words.rest()


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
    "virtual_routes": Lines("routes", route(is_static=False), key="virtual_routes"),
    "virtual_rules": Lines("rules", rule(is_static=False), key="virtual_rules"),
    "smtp_alert": Field("sends_mail", w.boolean),
    _SYNC: Field(_SYNC, w.text, keeps_first=True),
    "garp_master_delay": Field("garp_master_delay_s", w.integer(0, 4294)),
    "garp_master_refresh": Field("garp_master_refresh_s", w.seconds),
    **track_table(),
    **_notify_table(INSTANCE_EVENTS),
}


def instance(context: Context, statement: Statement) -> VrrpInstance:
    """A vrrp_instance block."""
    name = only_name(statement)
    values = read_block(context, body_of(statement), _INSTANCE)
    if _SYNC in values.values:
        _take_sync_daemon(context, values, statement, name)
    fields = values.outer()
    if values.get("state") == "BACKUP" and _was_master(statement):
        fields["state"] = "MASTER"
    authentication = None
    if inner := values.inner("authentication"):
        opened = {SELF: tuple(values.places["authentication"])}
        inner["origins"] = {**opened, **inner["origins"]}
        authentication = Authentication(**{"kind": None, **inner})
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
