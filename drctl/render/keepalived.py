"""A director's keepalived.conf from the model, through templates/keepalived.conf.j2.

Everything in the model is printed, leftovers as they were written, so that reading the file again
gives the same model. The target is what keepalived 2.2.7 accepts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from operator import attrgetter

from drctl.errors import UnsafeValue
from drctl.model.check import (
    BfdCheck,
    Check,
    DnsCheck,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    UdpCheck,
)
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover
from drctl.model.pair import Settings
from drctl.model.routing import TrackGroup
from drctl.model.service import DIRECT, MASQUERADE, TUNNEL, RealServer, VirtualService
from drctl.model.tracking import BfdSession
from drctl.model.vrrp import SyncGroup, VrrpInstance
from drctl.render.environment import rendered_file, targets
from drctl.render.keepalived_leftover import leftover_lines
from drctl.render.keepalived_routing import route_line, rule_line
from drctl.render.keepalived_word import argument, comment
from drctl.render.options import RenderOptions
from drctl.render.rendered import Loss, RenderedFile

TARGET = "keepalived-director"
SECRET_MODE = 0o600
METHODS = {DIRECT: "DR", TUNNEL: "TUN", MASQUERADE: "NAT"}
_KINDS: dict[type[Check], str] = {
    TcpCheck: "TCP_CHECK",
    SmtpCheck: "SMTP_CHECK",
    DnsCheck: "DNS_CHECK",
    UdpCheck: "UDP_CHECK",
    PingCheck: "PING_CHECK",
    MiscCheck: "MISC_CHECK",
    BfdCheck: "BFD_CHECK",
    FileCheck: "FILE_CHECK",
}
_HOOKS = {
    "settings": ("startup", "shutdown", "notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo"),
    "vrrp": (
        *("master", "backup", "fault", "stop", "deleted", "notify"),
        "master_rx_lower_pri",
    ),
    "service": ("quorum_up", "quorum_down"),
    "real server": ("up", "down"),
}


def keepalived_file(
    configuration: Configuration, options: RenderOptions
) -> tuple[RenderedFile, tuple[Loss, ...]]:
    """/etc/keepalived/keepalived.conf of the director whose view `configuration` is.

    Services that are switched off are not printed: keepalived has no word for that. Raises
    UnsafeValue when a value would break out of the syntax.
    """
    services = [s for s in configuration.services if s.is_active and not _is_empty(s)]
    first, last = _around(configuration)
    file = rendered_file(
        targets()[TARGET],
        c=configuration,
        first=first,
        last=last,
        services=services,
        director=_director(configuration),
        source=comment(options.source),
        no_settings=Settings(),
        leftovers=leftover_lines,
        route_line=route_line,
        rule_line=rule_line,
        hook_keyword=_hook_keyword,
        method_word=_method_word,
        service_key=_service_key,
        check_kind=_check_kind,
        has_limits=_has_limits,
    )
    if _has_secret(configuration):
        file = replace(file, mode=SECRET_MODE)
    return file, tuple(_without_servers(s) for s in configuration.services if _is_empty(s))


def _has_secret(configuration: Configuration) -> bool:
    """Whether the file holds a password or a key."""
    tls = configuration.tls
    return (tls is not None and tls.password is not None) or any(
        instance.authentication is not None or instance.hmac is not None
        for instance in configuration.instances
    )


def _around(
    configuration: Configuration,
) -> tuple[tuple[Leftover, ...], tuple[Leftover, ...]]:
    """Leftovers of the top level that stand before everything else, where what they define can be
    used, and those from the first repeated block on: keepalived takes the first block of a name."""
    blocks: dict[str, tuple[VrrpInstance | SyncGroup | TrackGroup | BfdSession, ...]] = {
        "vrrp_instance": configuration.instances,
        "vrrp_sync_group": configuration.sync_groups,
        "track_group": configuration.track_groups,
        "bfd_instance": configuration.bfd_sessions,
    }
    names = {f"{keyword} {one.name}" for keyword, found in blocks.items() for one in found}
    for index, leftover in enumerate(configuration.leftovers):
        words = re.split(r"[\s{]+", leftover.text, maxsplit=2)
        if " ".join(words[:2]).replace('"', "") in names:
            return configuration.leftovers[:index], configuration.leftovers[index:]
    return configuration.leftovers, ()


def _is_empty(service: VirtualService) -> bool:
    """Whether keepalived ignores the service: one of an lvs.cf without a real server. In a
    keepalived.conf it is printed all the same, since its writer wrote it for keepalived."""
    return (
        service.is_active
        and service.name is not None
        and not any(server.is_active for server in service.real_servers)
    )


def _without_servers(service: VirtualService) -> Loss:
    message = (
        f"virtual {service.name} has no real server: keepalived ignores such a service, so it is "
        "not written"
    )
    return Loss("service.without-servers", message, tuple(service.origins.get(SELF, ())))


def _director(configuration: Configuration) -> str:
    """Whose file it is, for the header: rank and name, as far as they are known."""
    if configuration.rank is None:
        return ""
    name = configuration.settings.router_id
    called = f" ({comment(name)})" if name is not None and name != configuration.rank else ""
    return f" of the {configuration.rank} director{called}"


def _hook_keyword(event: str, block: str) -> str:
    """The keyword of a hook in a kind of block."""
    assert event in _HOOKS[block], f"hook {event} in {block}"
    match block:
        case "settings":
            return f"{event}_script"
        case "service":
            return event
        case _:
            return event if event == "notify" else f"notify_{event}"


def _method_word(method: str) -> str:
    return METHODS[method]


def _service_key(service: VirtualService) -> str:
    """What stands behind `virtual_server`."""
    if service.group is not None:
        return f"group {argument(service.group)}"
    if service.mark is not None:
        return f"fwmark {service.mark}"
    if service.address is None:
        raise UnsafeValue("a virtual service has neither address nor mark nor group")
    port = "" if service.port is None else f" {service.port}"
    return f"{argument(service.address)}{port}"


_limits = attrgetter(
    *("upper_threshold", "lower_threshold", "inhibits_on_failure", "is_alpha"),
    *("loop_ms", "retries", "delay_before_retry_ms", "virtualhost", "timeout_ms", "warmup_ms"),
    *("sends_mail", "snmp_name"),
)


def _has_limits(server: RealServer) -> bool:
    """Whether a real server has one of the values that few have: most of thousands do not."""
    return any(value is not None for value in _limits(server))


def _check_kind(check: Check) -> str:
    """The keyword of a check's block."""
    if isinstance(check, HttpCheck):
        return "SSL_GET" if check.uses_tls else "HTTP_GET"
    return _KINDS[type(check)]
