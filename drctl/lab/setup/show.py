"""A lab as text and JSON."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from drctl.lab.method import HERE
from drctl.lab.plan import LabHost
from drctl.lab.setup import balancer, state
from drctl.lab.setup.balancer import Served
from drctl.lab.setup.design import Design
from drctl.verify import show as verify_show
from drctl.verify.value import Result

SCHEMA = 1
NAME = "lab"
"""Of the lab that is meant where none is named."""


@dataclass(frozen=True)
class Up:
    """A lab that is there: who is active in each group, what its client sees and is served, and
    what the kernel cannot do."""

    design: Design
    active: dict[str, list[str]]
    result: Result
    notes: tuple[str, ...]
    served: tuple[Served, ...]
    is_balancing: bool


def as_text(up: Up) -> list[str]:
    """Lines for people."""
    design = up.design
    lines = [f"lab {design.name}: {design.source.path}, real servers by {design.source.method}", ""]
    width = max(len(host.name) for host in design.hosts)
    roles = {host.name: _role(host) for host in design.hosts}
    role_width = max(map(len, roles.values()))
    for host in design.hosts:
        cards = "; ".join(f"{port.name} {' '.join(port.addresses)}" for port in host.ports)
        lines.append(f"  {host.name:<{width}}  {roles[host.name]:<{role_width}}  {cards}")
    lines.append("")
    for group, holders in up.active.items():
        lines.append(f"  {group}: {' and '.join(holders) or 'nobody'} is active")
    lines += ["", *(f"  {line}" if line else "" for line in verify_show.as_text(up.result))]
    if up.served:
        lines += ["", *(f"  {line}" for line in balancer.as_text(up.served))]
    lines += [f"  note: {note}" for note in up.notes]
    return [*lines, "", *_ways_in(design)]


def _role(host: LabHost) -> str:
    return ", ".join(role.replace("-", " ") for role in host.roles)


def _ways_in(design: Design) -> list[str]:
    own = option(design.name)
    director = design.directors[0].name
    settings = state.folder_of(design.name) / director / "drctl.toml"
    rows = [
        (f"drctl lab shell{own} {director}", "a shell on a host"),
        (f"drctl lab shell{own} {director} drctl status -c {settings}", "a command there"),
        (f"drctl lab run{own} kill", "something happens to it; --list has more"),
        (f"drctl lab down{own}", "takes it away"),
    ]
    width = max(len(command) for command, _ in rows)
    return [f"  {command:<{width}}  {about}" for command, about in rows]


def option(name: str) -> str:
    """What tells a command which lab is meant."""
    return "" if name == NAME else f" --name {name}"


def as_json(up: Up) -> dict[str, Any]:
    """As docs/lab.md describes it."""
    design = up.design
    return {
        "schema": SCHEMA,
        "name": design.name,
        "config": design.source.path,
        "method": design.source.method,
        "folder": str(state.folder_of(design.name)),
        "kernel": {"kind": HERE, "release": os.uname().release},
        "is_balancing": up.is_balancing,
        "hosts": [
            {
                "name": host.name,
                "roles": list(host.roles),
                "namespace": design.namespace(host.name),
                "cards": [
                    {
                        "name": port.name,
                        "segment": port.segment,
                        "mac": port.mac,
                        "addresses": list(port.addresses),
                    }
                    for port in host.ports
                ],
            }
            for host in design.hosts
        ],
        "vips": [vip.address for vip in design.vips],
        "groups": [{"name": name, "active": holders} for name, holders in up.active.items()],
        "verify": verify_show.as_json(up.result),
        "requests": balancer.as_json(up.served),
        "notes": list(up.notes),
    }
