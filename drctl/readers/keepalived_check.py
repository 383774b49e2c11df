"""Checks of a keepalived.conf, by table."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

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
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Nested,
    Spread,
    Table,
    Values,
    body_of,
    read_block,
)
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement

_PACE: Table = {
    "retry": Field("connect.retries", w.seconds),
    "delay_before_retry": Field("connect.retry_delay_ms", w.long_delay),
    "delay_loop": Field("connect.loop_ms", w.long_delay),
    "warmup": Field("connect.warmup_ms", w.long_delay),
    "alpha": Field("connect.is_alpha", w.boolean),
    "log_all_failures": Field("connect.logs_failures", w.boolean),
}
_CONNECT: Table = {
    **_PACE,
    "connect_ip": Field("connect.address", w.endpoint),
    "connect_port": Field("connect.port", w.port),
    "bindto": Field("connect.bind_address", w.endpoint),
    "bind_port": Field("connect.bind_port", w.port),
    "bind_if": Field("connect.bind_interface", w.text),
    "fwmark": Field("connect.mark", w.seconds),
    "connect_timeout": Field("connect.timeout_ms", w.delay),
}


def _status_codes(words: Words) -> tuple[tuple[int, int], ...]:
    ranges = []
    for word in (words.take("the status code"), *words.rest()):
        first, dash, last = word.partition("-")
        low = w.whole(first, 100, 599)
        ranges.append((low, w.whole(last, low, 599) if dash else low))
    return tuple(ranges)


def _regex(words: Words) -> str:
    """A pattern, split as commands are: keepalived ignores one of several words."""
    found = w.pattern(words)
    if words.peek() is not None:
        raise ValueError("keepalived takes one word; quote the pattern")
    return found


_LARGEST_SIZE = 2**64 - 1


def _size(words: Words) -> int:
    """A number of bytes; keepalived takes anything else for 0."""
    word = words.take("the size") if words.peek() is not None else ""
    return min(int(word), _LARGEST_SIZE) if word.isascii() and word.isdigit() else 0


def _stack(words: Words) -> tuple[int, int]:
    return _size(words), _size(words)


_URL: Table = {
    "path": Field("path", w.text),
    "digest": Field("digest", w.text),
    "status_code": Field("status_codes", _status_codes),
    "virtualhost": Field("virtualhost", w.text),
    "regex": Field("regex", _regex),
    "regex_no_match": Field("is_regex_inverted", w.flag),
    "regex_options": Field("regex_options", Words.rest),
    "regex_min_offset": Field("regex_from_bytes", _size),
    "regex_max_offset": Field("regex_to_bytes", _size),
    "regex_stack": Field("regex_stack_bytes", _stack),
    "tls_compliant": Field("is_tls_compliant", w.boolean),
}


def _url(context: Context, statement: Statement) -> Url:
    values = read_block(context, body_of(statement), _URL)
    return Url(
        **values.outer(),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement)),
    )


_HTTP: Table = {
    **_CONNECT,
    "nb_get_retry": Field("connect.retries", w.seconds),
    "http_protocol": Field("http_protocol", w.choice("1.0", "1.1", "1.0C", "1.0c", "1.1C", "1.1c")),
    "virtualhost": Field("virtualhost", w.text),
    "enable_sni": Field("has_sni", w.boolean),
    "sni_name": Field("sni_name", w.text),
    "tls_compliant": Field("is_tls_compliant", w.boolean),
    "fast_recovery": Field("has_fast_recovery", w.boolean),
    "url": Nested("urls", _url),
}


def _host(context: Context, statement: Statement) -> SmtpHost:
    context.ignored(statement, statement.values)
    values = read_block(context, body_of(statement), _CONNECT)
    return SmtpHost(
        **connect_of(values),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement)),
    )


_OCTETS = re.compile(r"[0-9a-fA-F \t]*")
_MASKED_OCTETS = re.compile(r"[0-9a-fA-FxX \t]*")


def _payload(words: Words) -> str:
    return _octets((words.take("the bytes"), *words.rest()), _OCTETS)


def _reply(words: Words) -> str:
    return _octets(words.rest(), _MASKED_OCTETS)


def _octets(words: tuple[str, ...], allowed: re.Pattern[str]) -> str:
    """Two digits for each byte; a digit that stands alone in front of a blank is one too."""
    text = " ".join(words)
    if allowed.fullmatch(text) is None:
        raise ValueError(f"{text} is not hexadecimal")
    return "".join(
        part[at : at + 2].rjust(2, "0") for part in text.split() for at in range(0, len(part), 2)
    )


_SENSES = {"reverse": True, "noreverse": False}


def _file_weight(words: Words) -> dict[str, Any]:
    """`WEIGHT [reverse|noreverse]`."""
    weight = w.whole(words.take("the weight"), -(2**31 - 1), 2**31 - 1)
    sense = None if words.peek() is None else w.choice(*_SENSES)(words)
    return {"weight": weight, "is_reversed": None if sense is None else _SENSES[sense]}


_RECORDS = ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY")


def _record(words: Words) -> str:
    """A record type in any case, as upper case."""
    word = words.take("the type")
    if word.upper() not in _RECORDS:
        raise ValueError(f"{word} is none of {', '.join(_RECORDS)}")
    return word.upper()


_CHECKS: dict[str, tuple[Callable[..., Any], Table, dict[str, Any]]] = {
    "HTTP_GET": (HttpCheck, _HTTP, {}),
    "SSL_GET": (HttpCheck, _HTTP, {"uses_tls": True}),
    "TCP_CHECK": (TcpCheck, _CONNECT, {}),
    "SMTP_CHECK": (
        SmtpCheck,
        {
            **_CONNECT,
            "helo_name": Field("helo_name", w.text),
            "host": Nested("hosts", _host),
        },
        {},
    ),
    "DNS_CHECK": (
        DnsCheck,
        {
            **_CONNECT,
            "type": Field("record_type", _record),
            "name": Field("name", w.text, keeps_first=True),
        },
        {},
    ),
    "UDP_CHECK": (
        UdpCheck,
        {
            **_CONNECT,
            "payload": Field("payload", _payload),
            "require_reply": Field("requires_reply", _reply),
            "min_reply_length": Field("min_reply_bytes", w.integer(0, 65535)),
            "max_reply_length": Field("max_reply_bytes", w.integer(0, 65535)),
        },
        {},
    ),
    "PING_CHECK": (PingCheck, _CONNECT, {}),
    "MISC_CHECK": (
        MiscCheck,
        {
            **_PACE,
            "misc_path": Field("command", w.command),
            "misc_timeout": Field("timeout_ms", w.delay),
            "misc_dynamic": Field("is_dynamic", w.flag),
            "user": Spread("user", w.owner),
        },
        {},
    ),
    "BFD_CHECK": (
        BfdCheck,
        {"name": Field("name", w.text), "alpha": Field("is_alpha", w.boolean)},
        {},
    ),
    "FILE_CHECK": (
        FileCheck,
        {"track_file": Field("file", w.text), "weight": Spread("weight", _file_weight)},
        {},
    ),
}


def _check(context: Context, statement: Statement) -> Any:
    kind, table, given = _CHECKS[statement.keyword]
    values = read_block(context, body_of(statement), table)
    fields = {**given, **connect_of(values)}
    return kind(
        **values.outer(),
        **fields,
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), *given),
    )


def connect_of(values: Values) -> dict[str, Any]:
    """The field `connect`, when anything of it was given."""
    inner = values.inner("connect")
    return {"connect": Connect(**inner)} if inner else {}


CHECKS: Table = {keyword: Nested("checks", _check) for keyword in _CHECKS}
"""The keywords of all checks, as they stand in a real_server."""
