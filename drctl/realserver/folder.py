"""A real server's plan, read back from the files that the conversion has written for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from drctl.render.options import RenderOptions
from drctl.render.real_server_plan import Plan, Redirect, Silent, Tunnel, VipAddress, WayBack

_ADDRESS = re.compile(r"^ +(add|add_own) (\S+)/(\d+) (\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^ +\[ -e /sys/class/net/(\S+) \] \|\| modprobe (\S+)$", re.MULTILINE)
_DROPPED = re.compile(
    r"^(?:-A IN(?:PUT)? -d (\S+) -j DROP|\s*arp daddr ip (\S+) drop)$", re.MULTILINE
)
_MANGLED = re.compile(
    r"^(?:-A OUT(?:PUT)? -s (\S+) -j mangle --mangle-ip-s (\S+)"
    r"|\s*arp saddr ip (\S+) arp saddr ip set (\S+))$",
    re.MULTILINE,
)
_IPTABLES = re.compile(
    r"^-A \S+ -d (?P<vip>[^/\s]+)/\d+(?: -p (?P<protocol>\S+))?(?: -m \S+ --dport (?P<port>\d+))?"
    r"(?: -m addrtype ! --dst-type LOCAL)? -j (?:REDIRECT|DNAT --to-destination (?P<target>\S+))$",
    re.MULTILINE,
)
_NFT = re.compile(
    r"^\s*ip6? daddr (?P<vip>\S+)(?: fib daddr type != local)?"
    r"(?: meta l4proto (?P<all>\S+)| (?P<protocol>\S+) dport (?P<port>\d+))?"
    r" (?:redirect|dnat to (?P<target>\S+))$",
    re.MULTILINE,
)
_DEFAULT = re.compile(r"^ +start_default (?:-4|-6) (\S+)$", re.MULTILINE)
_MIXED = re.compile(r"^ +ip (?:-4|-6) route replace default via (\S+) table (\d+)$", re.MULTILINE)
_FROM = re.compile(r"rule add pref (\d+) from (\S+) table main")
_PROGRAMS = "/usr/libexec/drctl/"
_RULES = ("/etc/drctl/arp.nft", "/etc/drctl/arptables.rules", "/etc/sysconfig/arptables")


_METHODS = {
    "/etc/drctl/arp.nft": "nftables",
    "/etc/drctl/arptables.rules": "arptables",
    "/etc/sysconfig/arptables": "arptables_jf",
    "/etc/drctl/redirect.nft": "nft-redirect",
    "/etc/drctl/iptables.rules": "iptables",
    "/etc/drctl/ip6tables.rules": "iptables",
}
_NETS = {
    "/etc/systemd/network/": "networkd",
    "/etc/NetworkManager/": "networkmanager",
    "/etc/sysconfig/network-scripts/": "ifcfg",
    "/sbin/ifup-": "ifcfg",
    "/etc/network/": "ifupdown",
}


def method_in(files: Mapping[str, str]) -> str:
    """How these files keep the server silent."""
    return next((_METHODS[path] for path in files if path in _METHODS), "sysctl")


def net_in(files: Mapping[str, str]) -> str:
    """What these files are brought up by."""
    return next(
        (net for path in files for start, net in _NETS.items() if path.startswith(start)), "systemd"
    )


def options_in(files: Mapping[str, str], source: str) -> RenderOptions:
    """What they were made with."""
    standby = "nftables" if "/etc/drctl/standby.nft" in files else "iptables"
    return RenderOptions(source, method_in(files), net_in(files), standby)


def plan_in(files: Mapping[str, str], method: str, own: tuple[str, ...]) -> Plan:
    """The plan of a host's files by path. `own` are the host's own addresses."""
    addresses = tuple(
        VipAddress(address, device, int(prefix), (), is_own=word == "add_own")
        for word, address, prefix, device in _ADDRESS.findall(_program(files, "drctl-vip"))
    )
    is_standby = any(path.startswith("/etc/drctl/standby") for path in files)
    redirects = tuple(_redirects(files))
    if is_standby:
        method = "nft-redirect" if "/etc/drctl/standby.nft" in files else "iptables"
    ways_back = tuple(_ways_back(_program(files, "drctl-route"), own))
    tunnels = _MODULE.findall(_program(files, "drctl-arp"))
    return Plan(
        method=method,
        silent=tuple(_silent(files, method, addresses)),
        addresses=addresses,
        redirects=redirects,
        tunnels=tuple(Tunnel(device, module) for device, module in tunnels),
        ways_back=ways_back,
        is_standby=is_standby,
        is_mixed=bool(ways_back) and "start_default" not in _program(files, "drctl-route"),
    )


def _program(files: Mapping[str, str], name: str) -> str:
    return files.get(_PROGRAMS + name, "")


def _silent(
    files: Mapping[str, str], method: str, addresses: tuple[VipAddress, ...]
) -> Iterator[Silent]:
    if method == "sysctl":
        for line in addresses:
            if line.prefix == 32 and not line.is_own:
                yield Silent(line.vip, "", ())
        return
    for path in _RULES:
        text = files.get(path, "")
        own = {one or other: by or to for one, by, other, to in _MANGLED.findall(text)}
        for one, other in _DROPPED.findall(text):
            vip = one or other
            yield Silent(vip, own.get(vip, ""), ())


def _redirects(files: Mapping[str, str]) -> Iterator[Redirect]:
    for path, text in sorted(files.items()):
        if not path.startswith("/etc/drctl/"):
            continue
        for found in (*_IPTABLES.finditer(text), *_NFT.finditer(text)):
            named = found.groupdict()
            protocol = named["protocol"] or named.get("all") or ""
            port = int(named["port"] or 0)
            yield Redirect(named["vip"], protocol, port, named["target"] or "", ())


def _ways_back(text: str, own: tuple[str, ...]) -> Iterator[WayBack]:
    sources = {int(table): source for table, source in _FROM.findall(text)}
    for address, table in _MIXED.findall(text):
        yield WayBack(address, sources.get(int(table), ""), int(table), ())
    for address in _DEFAULT.findall(text):
        near = next((one for one in own if (":" in one) == (":" in address)), "")
        yield WayBack(address, near, 0, ())
