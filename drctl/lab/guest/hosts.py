"""Hosts in the guest: each has a network of its own and an overlay over the machine's files; the
switch is one more network with a bridge for every segment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from drctl.lab.guest.machine import BASE, give_modules
from drctl.lab.guest.shell import GuestError, ip_batch, mount, unmount
from drctl.lab.plan import LabHost, Plan, StandIn

SWITCH = "drctl-switch"
_ALTERNATIVES = ("iptables", "ip6tables", "arptables")
_ENDINGS = ("", "-restore", "-save")


class Site:
    """All hosts of one trial; `close` takes everything away again."""

    def __init__(self, plan: Plan, backend: str) -> None:
        self.plan = plan
        self._backend = backend
        self._mounts: list[Path] = []
        self._namespaces: list[str] = []
        self._folder = BASE / "hosts"
        segments = dict.fromkeys(port.segment for host in plan.hosts for port in host.ports)
        self._bridges = {segment: f"switch{number}" for number, segment in enumerate(segments)}

    def build(self) -> None:
        """Switch, cards, addresses, file systems."""
        hosts = self.plan.hosts
        names = [SWITCH, *(host.name for host in hosts)]
        ip_batch(f"netns add {name}" for name in names)
        self._namespaces += names
        ip_batch(
            (
                f"link add {bridge} type bridge stp_state 0 mcast_snooping 0"
                for bridge in self._bridges.values()
            ),
            SWITCH,
        )
        ip_batch(self._cables())
        ip_batch(self._switch_lines(), SWITCH)
        for host in hosts:
            ip_batch(_address_lines(host), host.name)
            if host.folder is not None:
                self._build_root(host)

    def root(self, name: str) -> Path:
        """The host's file system, as the guest sees it."""
        return self._folder / name / "root"

    def switch_port(self, name: str, device: str) -> str:
        """The switch's end of a host's card."""
        number = [host.name for host in self.plan.hosts].index(name)
        cards = [port.name for port in self.plan.hosts[number].ports]
        return f"h{number}p{cards.index(device)}"

    def close(self) -> None:
        """Take away networks and file systems; processes must have ended."""
        ip_batch(f"netns del {name}" for name in self._namespaces)
        for place in reversed(self._mounts):
            unmount(place)
        shutil.rmtree(self._folder)

    def _cables(self) -> Iterator[str]:
        for host in self.plan.hosts:
            for port in host.ports:
                yield (
                    f"link add {port.name} netns {host.name} address {port.mac} type veth "
                    f"peer name {self.switch_port(host.name, port.name)} netns {SWITCH}"
                )

    def _switch_lines(self) -> Iterator[str]:
        for bridge in self._bridges.values():
            yield f"link set {bridge} up"
        for host in self.plan.hosts:
            for port in host.ports:
                far = self.switch_port(host.name, port.name)
                yield f"link set {far} master {self._bridges[port.segment]} up"

    def _build_root(self, host: LabHost) -> None:
        folder = self._folder / host.name
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        root = folder / "root"
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        self._mount("overlay", root, layers)
        self._mount("proc", root / "proc")
        self._mount("sysfs", root / "sys")
        self._mount("devtmpfs", root / "dev", "mode=755")
        self._mount("tmpfs", root / "run", "mode=755")
        give_modules(root)
        self._choose_backend(root)
        (root / "etc" / "hostname").write_text(f"{host.name}\n", encoding="utf-8")
        for program in self.plan.stand_ins:
            _add_stand_in(root, program)

    def _mount(self, kind: str, at: Path, options: str = "") -> None:
        mount(kind, at, options)
        self._mounts.append(at)

    def _choose_backend(self, root: Path) -> None:
        """What `update-alternatives --set` would do, in the host's own overlay."""
        for tool in _ALTERNATIVES:
            for ending in _ENDINGS:
                target = Path(f"/usr/sbin/{tool}-{self._backend}{ending}")
                link = root / "etc" / "alternatives" / f"{tool}{ending}"
                if (root / target.relative_to("/")).exists():
                    link.unlink(missing_ok=True)
                    link.symlink_to(target)


def _address_lines(host: LabHost) -> Iterator[str]:
    yield "link set lo up"
    for port in host.ports:
        yield f"link set {port.name} up"
        yield from (f"addr add {address} dev {port.name}" for address in port.addresses)
    for route in host.routes:
        yield f"route replace {route.destination} dev {route.device}"


def _add_stand_in(root: Path, program: StandIn) -> None:
    path = root / program.path.lstrip("/")
    if not path.resolve().is_relative_to(root):
        raise GuestError(f"{program.path} leaves the host's file system")
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    quoted = program.output.replace("'", "'\\''")
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{quoted}'\n", encoding="latin-1")
    path.chmod(0o755)
