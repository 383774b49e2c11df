"""global_defs of a keepalived.conf, by table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drctl.model.origin import SELF
from drctl.model.pair import IpvsTimeouts, Settings, SyncDaemon
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Lines,
    Table,
    Values,
    body_of,
    on_line,
    read_into,
)
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement
from drctl.text.place import Place


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
