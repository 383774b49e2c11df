"""Checks a text as `drctl lint` does, and says shortly what was found where."""

from __future__ import annotations

from drctl.lint.engine import check_source
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.source import decode


def diagnostics(text: str, version: str = "2.2.7") -> tuple[Diagnostic, ...]:
    """The findings of a keepalived.conf."""
    return check_source(decode("keepalived.conf", text.encode()), version).diagnostics


def found(text: str, version: str = "2.2.7") -> list[str]:
    """`LINE CODE` of each finding of level warning or error."""
    return [
        f"{one.place.line} {one.code}"
        for one in diagnostics(text, version)
        if one.severity is not Severity.INFO
    ]


INSTANCE = """\
global_defs {
enable_script_security
}
vrrp_instance V1 {
interface eth0
virtual_router_id 51
virtual_ipaddress {
192.0.2.100
}
@
}
"""
"""An instance in which nothing is wrong; `@` is line 10."""

SERVICE = """\
virtual_server 192.0.2.100 80 {
protocol TCP
lb_algo rr
lb_kind DR
real_server 192.0.2.11 80 {
@rs
}
@
}
"""
"""A service in which nothing is wrong; `@rs` is line 6, inside the real server."""


def instance(inside: str, before: str = "", after: str = "") -> str:
    """`INSTANCE` with these lines inside, at line 10, and others before and after it."""
    return before + INSTANCE.replace("@", inside) + after


def service(inside: str = "alpha", real: str = "weight 1") -> str:
    """`SERVICE` with these lines in the service and in its real server."""
    return SERVICE.replace("@rs", real).replace("@", inside)
