"""Blocks of a keepalived.conf that are about VRRP and the director itself, by table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drctl.model.origin import SELF, Origins
from drctl.model.pair import Address, Hook, IpvsTimeouts, Settings, SyncDaemon
from drctl.model.vrrp import (
    Authentication,
    SyncGroup,
    Track,
    TrackScript,
    UnicastPeer,
    Vip,
    VrrpInstance,
)
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Inline,
    LineParse,
    Lines,
    Table,
    Values,
    body_of,
    read_block,
    read_into,
    refuse,
)
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Document, Statement, walk
from drctl.text.place import Place

INSTANCE_EVENTS = ("master", "backup", "fault", "stop", "deleted", "master_rx_lower_pri")
GROUP_EVENTS = ("master", "backup", "fault", "stop")


def on_line(place: Place, *names: str) -> Origins:
    """Origins of an object that one line made: the line is the place of all its fields."""
    return dict.fromkeys((SELF, *names), (place,))


def hooks_of(values: Values) -> tuple[Hook, ...]:
    """The hooks of a block, in the order of the file; each was read as a field `hook EVENT`."""
    hooks = []
    for name, found in values.values.items():
        if name.startswith(_HOOK):
            command, user, group = found
            places = tuple(values.places.get(name, ()))
            names = ["event", "command"]
            names.extend(key for key, value in (("user", user), ("group", group)) if value)
            origins = dict.fromkeys((SELF, *names), places)
            hooks.append(Hook(name.removeprefix(_HOOK), command, user, group, origins))
    return tuple(hooks)


_HOOK = "hook."


def hook_table(events: Mapping[str, str], *, keeps_first: bool) -> Table:
    """Entries for hooks, each a command with its user: `events` maps keywords to events."""
    return {
        keyword: Field(f"{_HOOK}{event}", w.owned_command, keeps_first)
        for keyword, event in events.items()
    }


def _notify_table(events: Iterable[str]) -> Table:
    keywords = {f"notify_{event}": event for event in events} | {"notify": "notify"}
    return hook_table(keywords, keeps_first=True)


def _weight(words: Words, low: int = -254, high: int = 254) -> int | None:
    if words.peek() != "weight":
        return None
    words.take("weight")
    return w.whole(words.take("the weight"), low, high)


def _track(kind: str) -> LineParse:
    def parse(words: Words, place: Place) -> Iterable[Track]:
        name = words.take("the name")
        weight = _weight(words)
        if weight is None and (word := words.peek()) is not None:
            raise ValueError(f"{word} is no option here, keepalived does not track {name}")
        options = (words.take("option"),) if words.peek() in {"reverse", "noreverse"} else ()
        names = ["name"]
        names.extend(
            k for k, given in (("weight", weight is not None), ("options", options)) if given
        )
        return (Track(kind, name, weight, options, on_line(place, *names)),)

    return parse


def _track_table() -> Table:
    return {
        f"track_{kind}": Lines("tracks", _track(kind), key=f"track_{kind}")
        for kind in ("interface", "script", "file", "process", "bfd")
    }


_ADDRESS_OPTIONS_WITH_VALUE = frozenset(
    {"scope", "brd", "broadcast", "peer", "preferred_lft", "track_group"}
)
_ADDRESS_OPTIONS = frozenset(
    {"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac"}
)


def _length(word: str) -> tuple[str, int | None, tuple[str, ...]]:
    """`ADDRESS[/BITS]`, and what is wrong with the bits: keepalived goes on without them."""
    text, slash, bits = word.partition("/")
    address = w.canonical(text)
    if not slash:
        return address, None, ()
    try:
        return address, w.whole(bits, 0, 128 if ":" in address else 32), ()
    except ValueError:
        return address, None, (f"/{bits}",)


def _address_entry(words: Words) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An address with `dev` and `label` as fields, and the other options in order. What is none of
    these is left in `words`, since keepalived ignores it."""
    address, prefix, bad = _length(words.take("the address"))
    found: dict[str, Any] = {"address": address}
    if prefix is not None:
        found["prefix"] = prefix
    options: list[str] = []
    ignored = [*bad]
    while (word := words.peek()) is not None:
        if word in {"dev", "label"}:
            words.take(word)
            found["device" if word == "dev" else "label"] = words.take(f"the value of {word}")
        elif word in _ADDRESS_OPTIONS_WITH_VALUE:
            options += (words.take(word), words.take(f"the value of {word}"))
        elif word in _ADDRESS_OPTIONS:
            options.append(words.take(word))
        else:
            ignored.append(words.take(word))
    words.leave(ignored)
    return found, tuple(options)


def _vip(is_excluded: bool) -> LineParse:
    def parse(words: Words, place: Place) -> Iterable[Vip]:
        found, options = _address_entry(words)
        extra = (("options", options), ("is_excluded", is_excluded))
        origins = on_line(place, *found, *(name for name, given in extra if given))
        return (Vip(**found, options=options, is_excluded=is_excluded, origins=origins),)

    return parse


def static_address(words: Words, place: Place) -> Iterable[Address]:
    """A line of static_ipaddress."""
    found, options = _address_entry(words)
    if options:
        found["options"] = options
    return (Address(**found, origins=on_line(place, *found)),)


def _peer(words: Words, place: Place) -> Iterable[UnicastPeer]:
    address = w.endpoint(words)
    options: list[str] = []
    while (word := words.peek()) is not None:
        if word not in {"min_ttl", "max_ttl"}:
            break  # keepalived reads the line no further
        options += (words.take(word), str(w.whole(words.take(f"the value of {word}"), 0, 255)))
    names = ("address", "options") if options else ("address",)
    return (UnicastPeer(address, tuple(options), on_line(place, *names)),)


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
    "unicast_peer": Lines("unicast_peers", _peer),
    "mcast_src_ip": Field("multicast_source", w.endpoint),
    "authentication": Inline(
        "authentication",
        {
            "auth_type": Field("authentication.kind", w.choice("PASS", "AH")),
            "auth_pass": Field("authentication.password", w.text),
        },
    ),
    "virtual_ipaddress": Lines("vips", _vip(is_excluded=False), key="virtual_ipaddress"),
    "virtual_ipaddress_excluded": Lines(
        "vips", _vip(is_excluded=True), key="virtual_ipaddress_excluded"
    ),
    "smtp_alert": Field("sends_mail", w.boolean),
    _SYNC: Field(_SYNC, w.text, keeps_first=True),
    "garp_master_delay": Field("garp_master_delay_s", w.integer(0, 4294)),
    "garp_master_refresh": Field("garp_master_refresh_s", w.seconds),
    **_track_table(),
    **_notify_table(INSTANCE_EVENTS),
}


def only_name(statement: Statement) -> str:
    """The one name of a block."""
    values = statement.values
    if len(values) != 1:
        raise ValueError(f"{len(values)} names, keepalived skips a block that has not exactly one")
    return values[0]


def first_name(statement: Statement) -> str:
    """The name of a block that may have further words."""
    if not statement.values:
        raise ValueError("the name is missing")
    return statement.values[0]


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
    **_track_table(),
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


def _script_weight(words: Words) -> tuple[int, bool]:
    value = w.whole(words.take("the weight"), -253, 253)
    is_reversed = words.peek() == "reverse"
    if is_reversed:
        words.take("reverse")
    return value, is_reversed


_SCRIPT: Table = {
    "script": Field("command", w.command),
    "interval": Field("interval_ms", w.delay),
    "timeout": Field("timeout_ms", w.delay),
    "weight": Field("weight", _script_weight),
    "rise": Field("rise", w.integer(1, 2**31 - 1)),
    "fall": Field("fall", w.integer(1, 2**31 - 1)),
    "user": Field("owner", w.owner),
}


def take_owner(values: Values) -> dict[str, Any]:
    """The fields `user` and `group`, read as one."""
    user, group = values.values.pop("owner", (None, None))
    places = values.places.pop("owner", None)
    if places is not None:
        values.places["user"] = places
        if group is not None:
            values.places["group"] = places
    return {"user": user, "group": group}


def script(context: Context, statement: Statement) -> TrackScript:
    """A vrrp_script block."""
    name = first_name(statement)
    values = read_block(context, body_of(statement), _SCRIPT)
    owner = take_owner(values)
    if "weight" in values.values:
        values.values["weight"], is_reversed = values.values["weight"]
        if is_reversed:
            values.values["is_reversed"] = True
            values.places["is_reversed"] = values.places["weight"]
    return TrackScript(
        name,
        **values.outer(),
        **owner,
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), "name"),
    )


def _email(words: Words, place: Place) -> Iterable[str]:
    del place
    return words.rest()


def _sync_daemon(words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {"interface": words.take("the interface")}
    options = {
        "id": ("sync_id", 0, 255),
        "maxlen": ("max_length_bytes", 1, 65507),
        "port": ("port", 1, 65535),
        "ttl": ("ttl", 1, 255),
    }
    while (word := words.peek()) is not None:
        words.take(word)
        if word in options:
            name, low, high = options[word]
            found[name] = w.whole(words.take(f"the value of {word}"), low, high)
        elif word == "group":
            found["multicast_group"] = w.address(words)
        elif word == "inst":
            found["instance"] = words.take("the instance")
        elif "instance" not in found:
            found["instance"] = word
        else:
            # the old form: the id stands behind the instance
            found["sync_id"] = w.whole(word, 0, 255)
    return found


def _timeouts(words: Words) -> dict[str, int]:
    found = {}
    names = {"tcp": "tcp_s", "tcpfin": "tcpfin_s", "udp": "udp_s"}
    while words.peek() is not None:
        word = words.take("the name")
        if word not in names:
            raise ValueError(f"{word} is none of {', '.join(names)}")
        found[names[word]] = w.whole(words.take(f"the value of {word}"), 0, 2_678_400)
    if not found:
        raise ValueError("the timeouts are missing")
    return found


_SETTINGS: Table = {
    "router_id": Field("router_id", w.text),
    "notification_email": Lines("notification_emails", _email),
    "notification_email_from": Field("notification_email_from", w.text),
    "smtp_server": Field("smtp_server", w.joined),
    "smtp_connect_timeout": Field("smtp_connect_timeout_s", w.integer(0, 4294)),
    "enable_script_security": Field("has_script_security", w.flag),
    "script_user": Field("script_user", w.joined),
    "vrrp_strict": Field("is_vrrp_strict", w.flag_without_word),
    "vrrp_version": Field("vrrp_version", w.integer(2, 3)),
    "lvs_flush": Field("flushes_ipvs", w.flag),
    "lvs_sync_daemon": Field("sync_daemon", _sync_daemon),
    "lvs_timeouts": Field("ipvs_timeouts", _timeouts),
}


def read_settings(context: Context, values: Values, statement: Statement) -> None:
    """A global_defs block into `values`; several of them are merged."""
    read_into(context, values, body_of(statement), _SETTINGS)


def settings_of(values: Values, places: tuple[Place, ...]) -> Settings:
    """The settings of all global_defs blocks, which stand at `places`."""
    fields = values.outer()
    for name, kind in (("sync_daemon", SyncDaemon), ("ipvs_timeouts", IpvsTimeouts)):
        if name in fields:
            given = fields[name]
            origins = on_line(values.places[name][-1], *given)
            fields[name] = kind(**given, origins=origins)
    origins = dict(values.origins())
    if places:
        origins[SELF] = places
    return Settings(**fields, leftovers=tuple(values.leftovers), origins=origins)
