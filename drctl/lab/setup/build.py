"""Makes a lab, or makes whole what is left of one: every step looks first and does what is missing.

Nothing is made in the root namespace: cables are made in the switch's and handed on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from drctl.adapters.host_step import Step
from drctl.adapters.key_files import write_keys
from drctl.adapters.run_lock import namespace_id
from drctl.errors import DrctlError, FileRefused, ToolMissing
from drctl.lab.pair.director import DRCTL
from drctl.lab.pair.host import BRIDGE, CommandFailed, Host, run
from drctl.lab.plan import DIRECTOR, LabHost
from drctl.lab.setup import balancer, process, server, state
from drctl.lab.setup.daemon import Daemon, await_active, await_pair
from drctl.lab.setup.design import SWITCH, Design
from drctl.realserver.apply import apply, changes
from drctl.realserver.guard import Guard
from drctl.realserver.journal import Journal
from drctl.realserver.read import read_kernel
from drctl.realserver.step import steps_of
from drctl.realserver.wanted import wanted_of
from drctl.render.options import RenderOptions

NETNS = Path("/run/netns")
TOOLS = (("ip", "iproute2"), ("bridge", "iproute2"), ("nft", "nftables"))
Tell = Callable[[str], None]
_SETTINGS = {
    "ipv4": ("rp_filter", "arp_ignore", "arp_announce", "arp_filter"),
    "ipv6": ("disable_ipv6", "accept_dad"),
}
"""A new namespace may have the machine's own; in the lab all begin with 0."""


def check_machine() -> None:
    """Raises DrctlError when no lab can be made here."""
    import shutil

    if os.geteuid() != 0:
        raise DrctlError("a lab needs root for its namespaces")
    for tool, package in TOOLS:
        if shutil.which(tool) is None:
            raise ToolMissing(tool, package)


class Builder:
    """Makes one lab. `notes` are what this kernel cannot do."""

    def __init__(self, design: Design, tell: Tell) -> None:
        self.design = design
        self.notes: list[str] = []
        self.switch = Host(SWITCH, design.namespace(SWITCH))
        self.hosts = {one.name: Host(one.name, design.namespace(one.name)) for one in design.hosts}
        self._folder = state.folder_of(design.name)
        self.pair = tuple(
            Daemon(design.name, self.hosts[one.name], self._folder / one.name)
            for one in design.directors
        )
        self._tell = tell

    def build(self) -> dict[str, list[str]]:
        """Everything; who is active in each group then. Raises DrctlError."""
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("namespaces", self._make_namespaces),
            ("switch and cables", self._make_network),
            ("hosts", self._make_hosts),
            ("ports", self._open_ports),
            ("real servers", self._make_real_servers),
            ("directors", self._make_directors),
            ("IPVS", self._balance),
        )
        for name, step in steps:
            self._tell(name)
            step()
        return await_pair(self.pair)

    def _make_namespaces(self) -> None:
        lines = []
        for name in self.design.namespaces:
            path = NETNS / name
            if path.exists() and not os.path.ismount(path):
                # whoever made it was killed before there was a namespace behind it
                path.unlink()
            if not path.exists():
                lines.append(f"netns add {name}\n")
        if lines:
            run("ip", "-batch", "-", stdin="".join(lines))

    def _make_network(self) -> None:
        design = self.design
        there = {str(one["ifname"]) for one in _ip_json(self.switch, "link")}
        lines = ["link set lo up"]
        for bridge in design.bridges.values():
            if bridge not in there:
                lines.append(f"link add {bridge} {BRIDGE}")
            lines.append(f"link set {bridge} up")
        for host in design.hosts:
            cards = {str(one["ifname"]) for one in _ip_json(self.hosts[host.name], "link")}
            for card in host.ports:
                port = design.port(host.name, card.name)
                far = f"name {card.name} address {card.mac} netns {design.namespace(host.name)}"
                if port in there and card.name not in cards:
                    lines.append(f"link delete {port}")  # somebody renamed the other end
                if port not in there or card.name not in cards:
                    lines.append(f"link add {port} type veth peer {far}")
                lines.append(f"link set {port} master {design.bridges[card.segment]} up")
        self.switch.ip_batch(*lines)

    def _open_ports(self) -> None:
        told = json.loads(self.switch.run("bridge", "-json", "link", "show"))
        lines = [f"link set dev {one['ifname']} state 3\n" for one in told if is_closed(one)]
        if lines:
            self.switch.run("bridge", "-batch", "-", stdin="".join(lines))

    def _make_hosts(self) -> None:
        for one in self.design.hosts:
            host = self.hosts[one.name]
            present = {str(link["ifname"]): link for link in _ip_json(host, "address")}
            if "UP" not in present["lo"]["flags"]:
                self._make_settings(host)
            lines = list(_host_lines(one, present))
            if lines:
                host.ip_batch(*lines)

    def _make_settings(self, host: Host) -> None:
        with host.inside():
            for family, names in _SETTINGS.items():
                for name in names:
                    for card in Path(f"/proc/sys/net/{family}/conf").glob("*"):
                        if card.name != "lo" and (card / name).exists():
                            _write(card / name, "0\n")

    def _make_real_servers(self) -> None:
        started = [
            (one.name, done)
            for one in self.design.real_servers
            if one.listeners and (done := self._start_server(one)) is not None
        ]
        for one in self.design.real_servers:
            self._tell(f"real server {one.name}")
            self._set_up(one.name)
        for name, begun in started:
            assert begun.stdout is not None
            with begun.stdout as pipe:
                line = pipe.readline()
            if line != server.READY:
                log = (self._folder / name / "server.log").read_text("utf-8", "replace")
                raise DrctlError(f"the programs of {name} do not run\n{log[-2000:]}")

    def _start_server(self, host: LabHost) -> subprocess.Popen[bytes] | None:
        part = server_part(host.name)
        if process.of_part(self.design.name, part):
            return None
        folder = self._folder / host.name
        folder.mkdir(parents=True, exist_ok=True)
        listeners = folder / "listeners.json"
        _replace(listeners, json.dumps([asdict(one) for one in host.listeners]))
        words = (*DRCTL[:-1], "drctl.lab.setup.server", host.name, str(listeners))
        command = self.hosts[host.name].command(*words)
        environment = process.mark(self.design.name, part)
        return process.start(command, environment, folder / "server.log", has_pipe=True)

    def _set_up(self, name: str) -> None:
        """As `drctl realserver apply --runtime` does, without loading modules into the kernel of
        this machine."""
        host = self.hosts[name]
        serving = next(one for one in self.design.setup if one.name == name)
        if not serving.bindings:
            return
        options = RenderOptions(Path(self.design.source.path).name, self.design.source.method)
        wanted = wanted_of(self.design.setup, name, options)
        links = {str(one["ifname"]) for one in _ip_json(host, "link")}
        missing = {one.device for one in wanted.plan.tunnels} - links
        for device in sorted(missing):
            self.notes.append(
                f"{name}: this kernel has no tunnel device {device} (its module is not loaded), "
                "so packets in tunnels are not taken"
            )
        steps = [step for step in steps_of(wanted) if not _needs(step, missing)]
        with host.inside():
            try:
                journal = Journal(state.BASE.parent / f"realserver-{namespace_id()}.json")
                guard = Guard(wanted, read_kernel)
                apply(changes(steps, journal), journal, guard, lambda _: None)
            except DrctlError as refused:
                self.notes.append(f"{name} is not set up: {refused}")

    def _make_directors(self) -> None:
        keys = self._folder / "keys"
        nodes = [daemon.name for daemon in self.pair]
        names = [f"{node}.{kind}" for node in nodes for kind in ("secret", "public")]
        if not all((keys / name).is_file() for name in names):
            write_keys(nodes, str(keys), is_forced=True)
        waiting = [daemon for daemon in self.pair if not daemon.pids()]
        for daemon in waiting:
            self._take_vips_off(daemon)
        for daemon in self.pair:
            if daemon in waiting:
                daemon.folder.mkdir(parents=True, exist_ok=True)
                for name, text in self.design.files[daemon.name].items():
                    _replace(daemon.folder / name, text)
                self._tell(f"director {daemon.name}")
                daemon.start()
                if len(waiting) == len(self.pair) and daemon is self.pair[0]:
                    await_active(daemon)
            else:
                process.send(daemon.pids(), signal.SIGCONT)

    def _balance(self) -> None:
        if not balancer.why_not(self.pair[0].host):
            self.notes += balancer.balance(self.design, self.hosts, self._folder)

    def _take_vips_off(self, daemon: Daemon) -> None:
        """What was put there by hand while no daemon ran."""
        vips = {vip.address for vip in self.design.vips}
        lines = [
            f"address delete {one['local']}/{one['prefixlen']} dev {link['ifname']}"
            for link in _ip_json(daemon.host, "address")
            for one in link["addr_info"]
            if one["local"] in vips and link["ifname"] != "lo"
        ]
        if lines:
            daemon.host.ip_batch(*lines)


def server_part(host: str) -> str:
    """What the process of a real server's programs carries in its environment."""
    return f"server {host}"


def journals_of(namespace: str) -> list[Path]:
    """What `drctl realserver` keeps of a namespace: what it did."""
    with Host("", namespace).inside():
        return list(state.BASE.parent.glob(f"realserver-{namespace_id()}.*"))


def is_closed(port: dict[str, Any]) -> bool:
    """A switch's port that lets nothing pass although its cable is whole."""
    return str(port["state"]) == "disabled" and "LOWER_UP" in port["flags"]


def _host_lines(host: LabHost, present: dict[str, Any]) -> Iterator[str]:
    """What the host lacks, and what it has too much."""
    if "UP" not in present["lo"]["flags"]:
        yield "link set lo up"
    for port in host.ports:
        link = present[port.name]
        there = {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]}
        if DIRECTOR not in host.roles:
            for text in there - set(port.addresses):
                if not ip_interface(text).is_link_local:
                    yield f"address delete {text} dev {port.name}"
        if link["address"] != port.mac:
            yield f"link set {port.name} address {port.mac}"
        if "UP" not in link["flags"]:
            yield f"link set {port.name} up"
        for text in port.addresses:
            if text not in there:
                yield f"address add {text} dev {port.name}" + " nodad" * (":" in text)
    for route in host.routes:
        yield f"route replace {route.destination} dev {route.device}"


def _needs(step: Step, missing: set[str]) -> bool:
    """A module, or a device that is not there."""
    is_of_missing = any(f".{device}." in f".{step.what}." for device in missing)
    return step.kind == "module" or is_of_missing


def _ip_json(host: Host, kind: str) -> list[dict[str, Any]]:
    try:
        return list(json.loads(host.ip("-json", kind, "show") or "[]"))
    except ValueError as wrong:
        raise CommandFailed(f"ip -json {kind} show: {wrong}") from wrong


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as cause:
        raise FileRefused("write", str(path), cause) from cause


def _replace(path: Path, text: str) -> None:
    """All or nothing, for whoever reads it after this process was killed."""
    part = path.with_name(path.name + ".new")
    _write(part, text)
    part.replace(path)
