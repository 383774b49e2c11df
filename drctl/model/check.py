"""Health checks of every kind that keepalived or Piranha has.

`Connect` holds what all network checks share. Durations are milliseconds, None when not given.
"""

from __future__ import annotations

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.quickclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Connect:
    """Where and how a check connects, and when it gives up.

    `address` None means the real server's, `port` None the real server's. `retries` counts further
    attempts before the server is taken out.
    """

    address: str | None = None
    port: int | None = None
    bind_address: str | None = None
    bind_port: int | None = None
    bind_interface: str | None = None
    mark: int | None = None
    timeout_ms: int | None = None
    retries: int | None = None
    retry_delay_ms: int | None = None
    loop_ms: int | None = None
    warmup_ms: int | None = None
    is_alpha: bool | None = None
    logs_failures: bool | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Url:
    """One request of an HTTP check. `status_codes` are inclusive ranges; empty: 200..299. The match
    of `regex` is looked for from `regex_from_bytes` to `regex_to_bytes`, and must not be there when
    `is_regex_inverted`; `regex_stack_bytes` are the first and the largest size of its stack."""

    path: str | None = None
    digest: str | None = None
    status_codes: tuple[tuple[int, int], ...] = ()
    virtualhost: str | None = None
    regex: str | None = None
    is_regex_inverted: bool = False
    regex_options: tuple[str, ...] = ()
    regex_from_bytes: int | None = None
    regex_to_bytes: int | None = None
    regex_stack_bytes: tuple[int, int] | None = None
    is_tls_compliant: bool | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """HTTP_GET, or SSL_GET when `uses_tls`. `http_protocol` is `1.0`, `1.1`, `1.0C`, `1.1C` …"""

    connect: Connect = Connect()
    uses_tls: bool = False
    http_protocol: str | None = None
    virtualhost: str | None = None
    has_sni: bool | None = None
    sni_name: str | None = None
    is_tls_compliant: bool | None = None
    has_fast_recovery: bool | None = None
    urls: tuple[Url, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """A TCP connection is enough."""

    connect: Connect = Connect()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SmtpHost:
    """A `host` block of an SMTP check: one more place that is checked in the same way."""

    connect: Connect = Connect()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """SMTP greeting and HELO. With `hosts` the place in `connect` is only checked when something
    of it is given."""

    connect: Connect = Connect()
    helo_name: str | None = None
    hosts: tuple[SmtpHost, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """A DNS question of `record_type` for `name`."""

    connect: Connect = Connect()
    record_type: str | None = None
    name: str | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UdpCheck:
    """A UDP datagram; `requires_reply` decides whether silence is success."""

    connect: Connect = Connect()
    payload: str | None = None
    requires_reply: str | None = None
    min_reply_bytes: int | None = None
    max_reply_bytes: int | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PingCheck:
    """An ICMP echo."""

    connect: Connect = Connect()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MiscCheck:
    """A command; exit status 0 is success. `is_dynamic`: 2..255 set the weight."""

    command: str | None = None
    timeout_ms: int | None = None
    is_dynamic: bool = False
    user: str | None = None
    group: str | None = None
    connect: Connect = Connect()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BfdCheck:
    """State of a BFD session."""

    name: str | None = None
    is_alpha: bool | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Content of a tracked file. Without a weight that of the file counts, reversed or not; beside
    one `is_reversed` None means no."""

    file: str | None = None
    weight: int | None = None
    is_reversed: bool | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NannyCheck:
    """A virtual's check as Piranha's nanny runs it (0.8.6).

    `send`, `expect` and `program` are the texts of the file with their escapes, None when absent.
    `timeout_ms` is both the interval and the limit of a connect and of a read. `reentry_ms` is how
    long a failed server must answer before it returns.
    """

    send: str | None = None
    expect: str | None = None
    program: str | None = None
    uses_regex: bool = False
    timeout_ms: int = 10_000
    reentry_ms: int = 180_000
    load_monitor: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


Check = (
    HttpCheck
    | TcpCheck
    | SmtpCheck
    | DnsCheck
    | UdpCheck
    | PingCheck
    | MiscCheck
    | BfdCheck
    | FileCheck
)
