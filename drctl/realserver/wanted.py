"""What a host of a setup is to have, by the renderers' own plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from drctl.errors import UsageError
from drctl.model.service import MASQUERADE
from drctl.realserver.value import File, Service, Wanted
from drctl.render.host import Host, canonical
from drctl.render.install import with_installers
from drctl.render.options import RenderOptions
from drctl.render.real_server import render_real_server
from drctl.render.real_server_plan import plan_of
from drctl.render.rendered import Rendering


def wanted_of(hosts: Sequence[Host], name: str, options: RenderOptions) -> Wanted:
    """What the host of that name, or with that address, is to have. Raises UsageError when there is
    none, or it serves nothing behind the directors."""
    host = host_named(hosts, name)
    services = [
        Service(binding.vip, port.protocol, port.number, binding.real_address or "")
        for binding in host.bindings
        if binding.method != MASQUERADE
        for port in binding.ports
    ]
    rendering = render_real_server(host, options)
    files = tuple(File(one.path, one.text, one.mode) for one in rendering.files)
    own = dict.fromkeys(one.real_address for one in host.bindings if one.real_address)
    directors = [one for each in hosts if each.rank is not None for one in each.addresses]
    return Wanted(
        host.name,
        plan_of(host, options),
        tuple(dict.fromkeys(services)),
        files,
        tuple(own),
        tuple(one for one in dict.fromkeys(directors) if one not in host.addresses),
        "ifcfg" if options.arp == "arptables_jf" and host.rank is None else options.net,
    )


def rendering_of(hosts: Sequence[Host], name: str, options: RenderOptions) -> Rendering:
    """The host's files, with the installers that put them in place."""
    return with_installers(render_real_server(host_named(hosts, name), options), options.source)


def host_named(hosts: Sequence[Host], name: str) -> Host:
    """The host of that name, or with that address."""
    address = canonical(name)
    host = next((one for one in hosts if one.name == name), None)
    host = host or next((one for one in hosts if address and address in one.addresses), None)
    if host is None or not host.bindings:
        serving = ", ".join(one.name for one in hosts if one.bindings) or "none"
        what = "is no host of this setup" if host is None else "serves nothing behind the directors"
        raise UsageError(f"--host {name} {what}; real servers are: {serving}")
    return host
