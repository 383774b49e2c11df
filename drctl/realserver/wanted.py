"""What a host of a setup is to have, by the renderers' own plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.service import MASQUERADE
from drctl.realserver.value import File, Service, Wanted
from drctl.render.host import Host, canonical
from drctl.render.install import with_installers
from drctl.render.options import RenderOptions
from drctl.render.real_server import render_real_server
from drctl.render.real_server_plan import Plan, plan_of
from drctl.render.rendered import Rendering


class UnknownHost(UsageError):
    """The configuration has no real server of that name or address."""


def wanted_of(
    hosts: Sequence[Host],
    name: str,
    options: RenderOptions,
    views: Sequence[Configuration] = (),
) -> Wanted:
    """What the host of that name, or with that address, is to have; `views` are the directors'
    configurations. Raises UnknownHost when there is none, or it serves nothing behind the
    directors."""
    host = host_named(hosts, name)
    services = [
        Service(binding.vip, port.protocol, port.number, binding.real_address or "")
        for binding in host.bindings
        if binding.method != MASQUERADE
        for port in binding.ports
    ]
    masqueraded = [one for one in services_of(views, host.addresses)[0] if one.is_own]
    rendering = render_real_server(host, options)
    files = tuple(File(one.path, one.text, one.mode) for one in rendering.files)
    own = dict.fromkeys(one.real_address for one in host.bindings if one.real_address)
    directors = [one for each in hosts if each.rank is not None for one in each.addresses]
    plan = plan_of(host, options)
    return Wanted(
        host.name,
        plan,
        tuple(dict.fromkeys((*services, *masqueraded))),
        files,
        tuple(own),
        tuple(one for one in dict.fromkeys(directors) if one not in host.addresses),
        boot_system(plan, options),
    )


def boot_system(plan: Plan, options: RenderOptions) -> str:
    """What brings it up at boot; arptables_jf has network-scripts alone."""
    return "ifcfg" if plan.method == "arptables_jf" else options.net


def services_of(
    views: Sequence[Configuration], addresses: Sequence[str]
) -> tuple[tuple[Service, ...], tuple[str, ...]]:
    """The services with an address that the directors send to these addresses of a host, and which
    of the addresses those are."""
    services: dict[Service, None] = {}
    own: dict[str, None] = {}
    for view in views:
        for service in view.services:
            for server in service.real_servers:
                address = canonical(server.address)
                if address is None or address not in addresses:
                    continue
                if not service.is_active or not server.is_active:
                    continue
                own[address] = None
                vip = canonical(service.address) if service.address else None
                forwarding = server.forwarding or service.forwarding
                is_own = forwarding is None or forwarding.method == MASQUERADE
                port = server.port if is_own and server.port else service.port
                if vip is not None and port:
                    protocol = service.protocol or "tcp"
                    services[Service(vip, protocol, port, address, is_own)] = None
    return tuple(services), tuple(own)


def rendering_of(hosts: Sequence[Host], name: str, options: RenderOptions) -> Rendering:
    """The host's files, with the installers that put them in place."""
    return with_installers(render_real_server(host_named(hosts, name), options), options.source)


def host_named(hosts: Sequence[Host], name: str) -> Host:
    """The host of that name, or with that address. Raises UnknownHost."""
    address = canonical(name)
    host = next((one for one in hosts if one.name == name), None)
    host = host or next((one for one in hosts if address and address in one.addresses), None)
    if host is None or not host.bindings:
        serving = ", ".join(one.name for one in hosts if one.bindings) or "none"
        what = "is no host of this setup" if host is None else "serves nothing behind the directors"
        raise UnknownHost(f"--host {name} {what}; real servers are: {serving}")
    return host
