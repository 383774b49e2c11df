"""Hosts in the guest: each has a network of its own and an overlay over the machine's files; the
switch is one more network with a bridge for every segment."""

from __future__ import annotations

import shutil
from pathlib import Path

from drctl.lab.guest.machine import BASE
from drctl.lab.guest.shell import GuestError, ip_batch, run
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

    def build(self) -> None:
        """Switch, cards, addresses, file systems."""
        segments = dict.fromkeys(port.segment for host in self.plan.hosts for port in host.ports)
        self._add_namespace(SWITCH)
        lines = []
        for segment in segments:
            lines.append(f"link add {segment} type bridge stp_state 0 mcast_snooping 0")
            lines.append(f"link set {segment} up")
        ip_batch(lines, SWITCH)
        for number, host in enumerate(self.plan.hosts):
            self._build_host(number, host)

    def root(self, name: str) -> Path:
        """The host's file system, as the guest sees it."""
        return self._folder / name / "root"

    def switch_port(self, name: str, device: str) -> str:
        """The switch's end of a host's card."""
        number = [host.name for host in self.plan.hosts].index(name)
        return f"h{number}-{device}"

    def close(self) -> None:
        """Take away networks and file systems; processes must have ended."""
        for name in self._namespaces:
            run("ip", "netns", "del", name)
        for mount in reversed(self._mounts):
            run("umount", "-l", str(mount))
        shutil.rmtree(self._folder, ignore_errors=False)

    def _add_namespace(self, name: str) -> None:
        run("ip", "netns", "add", name)
        self._namespaces.append(name)

    def _build_host(self, number: int, host: LabHost) -> None:
        self._add_namespace(host.name)
        for port in host.ports:
            far = f"h{number}-{port.name}"
            ip_batch(
                (
                    f"link add {port.name} netns {host.name} address {port.mac} type veth "
                    f"peer name {far} netns {SWITCH}",
                )
            )
            ip_batch((f"link set {far} master {port.segment} up",), SWITCH)
        lines = ["link set lo up"]
        for port in host.ports:
            lines.append(f"link set {port.name} up")
            lines += [f"addr add {address} dev {port.name}" for address in port.addresses]
        lines += [f"route replace {r.destination} dev {r.device}" for r in host.routes]
        ip_batch(lines, host.name)
        if host.folder is not None:
            self._build_root(host)

    def _build_root(self, host: LabHost) -> None:
        folder = self._folder / host.name
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        root = folder / "root"
        layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
        self._mount("-t", "overlay", "-o", layers, "overlay", at=root)
        self._mount("-t", "proc", "proc", at=root / "proc")
        self._mount("-t", "sysfs", "sysfs", at=root / "sys")
        self._mount("--bind", "/dev", at=root / "dev")
        self._mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", at=root / "run")
        self._choose_backend(root)
        (root / "etc" / "hostname").write_text(f"{host.name}\n", encoding="utf-8")
        for program in self.plan.stand_ins:
            _add_stand_in(root, program)

    def _mount(self, *arguments: str, at: Path) -> None:
        run("mount", *arguments, str(at))
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


def _add_stand_in(root: Path, program: StandIn) -> None:
    path = root / program.path.lstrip("/")
    if not path.resolve().is_relative_to(root):
        raise GuestError(f"{program.path} leaves the host's file system")
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    quoted = program.output.replace("'", "'\\''")
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{quoted}'\n", encoding="utf-8")
    path.chmod(0o755)
