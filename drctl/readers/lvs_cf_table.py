"""The keywords of lvs.cf and how their words become values; a `None` value means that no daemon
reads the keyword. Facts: lvsconfig.c of Piranha 0.8.6."""

from __future__ import annotations

from typing import Any

from drctl.model.pair import Address
from drctl.model.service import DIRECT, MASQUERADE, TUNNEL
from drctl.readers.lvs_cf_block import Parse, Table
from drctl.schema.values import tcp_port
from drctl.units import c_integer, dotted, inet_aton, ip_address, is_host_name

_BOOLEANS = {"0": False, "1": True, "no": False, "yes": True, "off": False, "on": True,
             "false": False, "true": True}  # fmt: skip
_METHODS = {"nat": MASQUERADE, "direct": DIRECT, "tunnel": TUNNEL}
_METHODS_ELSEWHERE = {
    **dict.fromkeys(("masq", "masquerade", "masquerading"), MASQUERADE),
    **dict.fromkeys(("dr", "route", "gate", "gatewaying", "droute"), DIRECT),
    **dict.fromkeys(("tun", "tunneling", "tunnelling", "ipip"), TUNNEL),
}
"""Words of the GUI, of ipvsadm, keepalived and ldirectord, which pulse refuses."""
SCHEDULERS = {name: name for name in ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh")} | {
    "pcc": "lc"
}


def _one(words: tuple[str, ...]) -> str:
    if len(words) != 1:
        raise ValueError(f"{len(words)} arguments, one expected")
    return words[0]


def _integer(words: tuple[str, ...]) -> int:
    text = _one(words)
    value = c_integer(text)
    if value is None:
        raise ValueError(f"{text} is not a number")
    return value


def _seconds(words: tuple[str, ...]) -> int:
    value = _integer(words)
    if value < 0:
        raise ValueError(f"{value} s is negative")
    return value


def _milliseconds(words: tuple[str, ...]) -> int:
    return 1000 * _seconds(words)


def _boolean(words: tuple[str, ...]) -> bool:
    text = _one(words).lower()
    if (value := _BOOLEANS.get(text)) is not None:
        return value
    number = c_integer(text)
    if number in {0, 1}:
        return bool(number)
    raise ValueError(f"{text} is neither 0 nor 1")


def _enumeration(table: dict[str, str], elsewhere: dict[str, str] | None = None) -> Parse:
    """One of the words of `table`, in capitals too; those of `elsewhere` are read, not named."""
    every = {**(elsewhere or {}), **table}

    def parse(words: tuple[str, ...]) -> str:
        text = _one(words)
        if (value := every.get(text.lower())) is None:
            raise ValueError(f"{text} is none of {', '.join(table)}")
        return value

    return parse


def _address(words: tuple[str, ...]) -> str:
    """An address in dotted form, or a host name as it is."""
    text = _one(words)
    if (found := inet_aton(text)) is not None:
        return found
    if is_host_name(text):
        return text
    if ip_address(text) is not None:
        raise ValueError(f"{text} is an IPv6 address, which Piranha does not know")
    raise ValueError(f"{text} is neither an address nor a host name")


def _address_on_device(words: tuple[str, ...]) -> Address:
    """`ADDRESS DEVICE`; a device `eth0:1` is the label eth0:1 on eth0. The device may be missing
    in old files, and a prefix length may stand behind the address; pulse refuses both."""
    if not 1 <= len(words) <= 2:
        raise ValueError(f"{len(words)} arguments, an address and a device expected")
    text, slash, bits = words[0].partition("/")
    if slash and not (bits.isascii() and bits.isdigit() and int(bits[:3]) <= 32):
        raise ValueError(f"{words[0]} is not an address with a prefix length")
    prefix = int(bits) if slash else None
    address = _address((text,))
    if len(words) == 1:
        return Address(address, prefix)
    device, colon, _ = words[1].partition(":")
    if not device or device.isdigit():
        raise ValueError(f"{words[1]} is no network device")
    return Address(address, prefix, device, words[1] if colon else None)


def _mask(words: tuple[str, ...]) -> str:
    """A mask in dotted form; a plain length such as 24, which inet_aton takes for 0.0.0.24, is
    meant as a length."""
    text = _one(words)
    length = text.removeprefix("/")
    if length.isascii() and length.isdigit() and len(length) <= 2 and 0 < int(length) <= 32:
        return dotted((0xFFFFFFFF << (32 - int(length))) & 0xFFFFFFFF)
    if (mask := inet_aton(text)) is None:
        raise ValueError(f"{text} is not a netmask")
    return mask


def _port(words: tuple[str, ...]) -> int:
    text = _one(words)
    value = c_integer(text) if text else None
    if value is None:
        value = tcp_port(text) or tcp_port(text.lower())
    if value is None:
        raise ValueError(f"{text} is neither a port number nor a TCP service that we know")
    if not 0 < value < 65536:
        raise ValueError(f"port {value} is outside 1..65535")
    return value


def _port_text(words: tuple[str, ...]) -> str:
    text = _one(words)
    value = c_integer(text) if text else None
    return text if value is None else str(value)


def _text(words: tuple[str, ...]) -> str:
    """A string; words without quotes are joined, as they were meant."""
    if not words:
        raise ValueError("no argument")
    return " ".join(words)


def _word(words: tuple[str, ...]) -> str:
    return _one(words)


def _unread(words: tuple[str, ...]) -> Any:
    del words


GLOBAL: Table = {
    "serial_no": _unread,
    "service": _enumeration({"lvs": "lvs", "fos": "fos"}),
    "primary": _address,
    "primary_private": _address,
    "backup": _address,
    "backup_private": _address,
    "backup_active": _boolean,
    "heartbeat": _unread,
    "heartbeat_port": _port_text,
    "keepalive": _milliseconds,
    "deadtime": _milliseconds,
    "network": _enumeration(_METHODS, _METHODS_ELSEWHERE),
    "nat_router": _address_on_device,
    "nat_nmask": _mask,
    "monitor_links": lambda words: _integer(words) != 0,
    "hard_shutdown": _boolean,
    "syncdaemon": _boolean,
    "syncd_iface": _word,
    "syncd_id": lambda words: _integer(words) & 255,
    "tcp_timeout": _seconds,
    "tcpfin_timeout": _seconds,
    "udp_timeout": _seconds,
    "active_cmd": _text,
    "inactive_cmd": _text,
    "rsh_command": _unread,
    "debug_level": _unread,
    "ipvsadm": _unread,
    "sync": _unread,
    "primary_shared": _unread,
    "backup_shared": _unread,
    "reservation_conflict_action": _unread,
}

_COMMON: Table = {
    "active": _boolean,
    "address": _address_on_device,
    "vip_nmask": _mask,
    "port": _port,
    "send": _text,
    "expect": _text,
    "use_regex": _boolean,
    "send_program": _text,
    "timeout": _milliseconds,
    "reentry": _milliseconds,
    "load_monitor": _word,
    "client_monitor": _unread,
    "master": _unread,
    "dirs": _unread,
}

VIRTUAL: Table = {
    **_COMMON,
    "protocol": _enumeration({"tcp": "tcp", "udp": "udp"}),
    "fwmark": _integer,
    "scheduler": _enumeration(SCHEDULERS),
    "persistent": _seconds,
    "pmask": _mask,
    "sorry_server": _address,
    "quiesce_server": _boolean,
    "start_cmd": _unread,
    "stop_cmd": _unread,
}

FAILOVER: Table = {
    **_COMMON,
    "protocol": _unread,
    "fwmark": _unread,
    "scheduler": _unread,
    "persistent": _unread,
    "pmask": _unread,
    "sorry_server": _unread,
    "quiesce_server": _unread,
    "start_cmd": _text,
    "stop_cmd": _text,
}

SERVER: Table = {
    "address": _address,
    "active": _boolean,
    "weight": _integer,
    "port": _port,
}
