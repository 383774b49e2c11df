"""Virtual services and real servers of a keepalived.conf, by table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drctl.model.origin import SELF
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
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Lines,
    Nested,
    Table,
    Values,
    body_of,
    first_name,
    on_line,
    read_block,
    read_lines,
    refuse,
)
from drctl.readers.keepalived_check import CHECKS, connect_of
from drctl.readers.keepalived_hook import hook_table, hooks_of
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement
from drctl.text.place import Place

METHODS = {"NAT": MASQUERADE, "DR": DIRECT, "TUN": TUNNEL}
SCHEDULERS = (
    *("rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq"),
    "twos",
)
_FLAGS = (
    "hashed",
    "flag-1",
    "flag-2",
    "flag-3",
    "sh-port",
    "sh-fallback",
    "mh-port",
    "mh-fallback",
)
_DEFAULT_PERSISTENCE_S = 360
_LONGEST_PERSISTENCE_S = 2_678_400


def _forwarding(words: Words) -> Forwarding:
    word = words.take("the method")
    if word not in METHODS:
        raise ValueError(f"{word} is none of {', '.join(METHODS)}")
    return Forwarding(METHODS[word], words.rest())


def _persistence(words: Words) -> int:
    if words.peek() is None:
        return _DEFAULT_PERSISTENCE_S
    return w.whole(words.take("the time"), 1, _LONGEST_PERSISTENCE_S)


def _port(words: Words) -> int | None:
    """A port; 0 or none means all."""
    if words.peek() is None:
        return None
    return w.whole(words.take("the port"), 0, 65535) or None


def _endpoint(words: Words) -> dict[str, Any]:
    return {"address": w.endpoint(words), "port": _port(words)}


def _flag_name(name: str) -> w.Parse:
    def parse(words: Words) -> str:
        del words
        return name

    return parse


_SERVER: Table = {
    "weight": Field("weight", w.integer(0, 2**31 - 1)),
    "lvs_method": Field("forwarding", _forwarding),
    "uthreshold": Field("upper_threshold", w.seconds),
    "lthreshold": Field("lower_threshold", w.seconds),
    "inhibit_on_failure": Field("inhibits_on_failure", w.boolean),
    "virtualhost": Field("virtualhost", w.text),
    "delay_before_retry": Field("delay_before_retry_ms", w.long_delay),
    "retry": Field("retries", w.integer(1, w.U32)),
    "delay_loop": Field("loop_ms", w.long_delay),
    "connect_timeout": Field("timeout_ms", w.delay),
    "warmup": Field("warmup_ms", w.long_delay),
    "alpha": Field("is_alpha", w.boolean),
    "smtp_alert": Field("sends_mail", w.boolean),
    "snmp_name": Field("snmp_name", w.text),
    **hook_table({"notify_up": "up", "notify_down": "down"}, keeps_first=False),
    **CHECKS,
}


def _real_server(context: Context, statement: Statement) -> RealServer:
    words = Words(statement.values)
    where = _endpoint(words)
    context.ignored(statement, words.rest())
    values = read_block(context, body_of(statement), _SERVER)
    given = (name for name, value in where.items() if value is not None)
    return RealServer(
        **where,
        **values.outer(),
        hooks=hooks_of(values),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), *given),
    )


_MASK = "persistence_mask"

_SERVICE: Table = {
    "delay_loop": Field("connect.loop_ms", w.long_delay),
    "connect_timeout": Field("connect.timeout_ms", w.delay),
    "retry": Field("connect.retries", w.integer(1, w.U32)),
    "delay_before_retry": Field("connect.retry_delay_ms", w.long_delay),
    "warmup": Field("connect.warmup_ms", w.long_delay),
    **dict.fromkeys(("lb_algo", "lvs_sched"), Field("scheduler", w.choice(*SCHEDULERS))),
    **{name: Field("scheduler_flags", _flag_name(name), joins=True) for name in _FLAGS},
    **dict.fromkeys(("lb_kind", "lvs_method"), Field("forwarding", _forwarding)),
    "protocol": Field("protocol", w.protocol),
    "persistence_timeout": Field("persistence_s", _persistence),
    "persistence_granularity": Field(_MASK, w.mask),
    "persistence_engine": Field("persistence_engine", w.text),
    "ops": Field("is_one_packet", w.flag),
    "alpha": Field("is_alpha", w.flag),
    "omega": Field("is_omega", w.flag),
    "quorum": Field("quorum", w.integer(1, w.U32)),
    "hysteresis": Field("hysteresis", w.seconds),
    "inhibit_on_failure": Field("inhibits_on_failure", w.flag),
    "virtualhost": Field("virtualhost", w.text),
    "ip_family": Field("ip_family", w.choice("inet", "inet6")),
    "ha_suspend": Field("has_ha_suspend", w.flag),
    "weight": Field("weight", w.integer(1, 2**31 - 1)),
    "smtp_alert": Field("sends_mail", w.boolean),
    "snmp_name": Field("snmp_name", w.text),
    "sorry_server": Field("sorry.server", _endpoint),
    "sorry_server_inhibit": Field("sorry.inhibits", w.flag, needs="sorry.server"),
    "sorry_server_lvs_method": Field("sorry.forwarding", _forwarding, needs="sorry.server"),
    "real_server": Nested("real_servers", _real_server),
    **hook_table({name: name for name in ("quorum_up", "quorum_down")}, keeps_first=False),
}


def _sorry_server(values: Values) -> SorryServer | None:
    inner = values.inner("sorry")
    where = inner.pop("server", None)
    if where is None:
        return None
    origins = dict(inner.pop("origins"))
    places = origins.pop("server")
    origins.update({name: places for name, value in where.items() if value is not None})
    return SorryServer(**where, **inner, origins={SELF: places, **origins})


def service(context: Context, statement: Statement) -> VirtualService:
    """A virtual_server block: `ADDRESS [PORT]`, `fwmark NUMBER` or `group NAME`."""
    words = Words(statement.values)
    what: dict[str, Any]
    if words.peek() == "fwmark":
        words.take("fwmark")
        what = {"mark": w.whole(words.take("the mark"), 0, w.U32)}
    elif words.peek() == "group":
        words.take("group")
        what = {"group": words.take("the group")}
    else:
        what = _endpoint(words)
    context.ignored(statement, words.rest())
    values = read_block(context, body_of(statement), _SERVICE)
    if str(values.get(_MASK, "")).isdigit():
        _settle_mask(context, values, statement, what.get("address"))
    given = (name for name, value in what.items() if value is not None)
    return VirtualService(
        **what,
        **values.outer(),
        **connect_of(values),
        sorry_server=_sorry_server(values),
        hooks=hooks_of(values),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), *given),
    )


def _settle_mask(
    context: Context, values: Values, statement: Statement, address: str | None
) -> None:
    """A mask that is a number alone: an address for a service of IPv4, else a length."""
    said = values.values[_MASK]
    try:
        is_four = address is not None and ":" not in address
        settled = w.ipv4_mask(said) if is_four else str(w.whole(said, 1, 128))
    except ValueError as bad:
        del values.values[_MASK]
        del values.places[_MASK]
        for node in body_of(statement):
            if isinstance(node, Statement) and node.keyword == "persistence_granularity":
                refuse(context, values, node, str(bad))
    else:
        values.values[_MASK] = settled


def _group_entry(words: Words, place: Place) -> Iterable[GroupEntry]:
    if words.peek() == "fwmark":
        words.take("fwmark")
        found: dict[str, Any] = {"mark": w.whole(words.take("the mark"), 0, w.U32)}
        if words.peek() is not None:
            found["ip_family"] = w.choice("inet", "inet6")(words)
        return (GroupEntry(**found, origins=on_line(place, *found)),)
    word = words.take("the address")
    first, dash, last = word.partition("-")
    if "/" in word:
        found = _network(word)
    else:
        found = {"address": w.canonical(first)}
        if dash:
            found["last"] = _range_end(found["address"], last)
    if (port := _port(words)) is not None:
        found["port"] = port
    return (GroupEntry(**found, origins=on_line(place, *found)),)


def _network(word: str) -> dict[str, Any]:
    """A network as the range of all its addresses."""
    from ipaddress import ip_network

    text, _, bits = word.partition("/")
    address = w.canonical(text)
    length = w.whole(bits, 1, 128 if ":" in address else 32)
    try:
        found = ip_network(f"{address}/{length}")
    except ValueError:
        raise ValueError(f"{word}: the address has bits outside the mask") from None
    ends = {"address": address, "last": str(found[-1])}
    return ends if ends["last"] != address else {"address": address}


def _range_end(first: str, last: str) -> str:
    """The last address of a range: an address, or the last part of one."""
    from ipaddress import ip_address

    is_whole = "." in last or ":" in last
    if is_whole:
        end = w.canonical(last)
    elif ":" in first:
        end = w.canonical(first[: first.rindex(":") + 1] + last)
    else:
        end = w.canonical(f"{first[: first.rindex('.')]}.{w.whole(last, 0, 255)}")
    if (":" in first) != (":" in end):
        raise ValueError(f"{first} and {end} are of two families")
    # one address may be written as a range, but not with the last part of its end alone
    if int(ip_address(end)) - int(ip_address(first)) < (0 if is_whole else 1):
        raise ValueError(f"the range does not go up from {first} to {end}")
    return end


_GROUP_LINES = Lines("entries", _group_entry)


def service_group(context: Context, statement: Statement) -> ServiceGroup:
    """A virtual_server_group block."""
    name = first_name(statement)
    values = Values()
    read_lines(context, values, statement, _GROUP_LINES, around=None)
    origins = values.opened(context.place(statement), "name")
    return ServiceGroup(name, **values.outer(), leftovers=tuple(values.leftovers), origins=origins)
