"""What is done to a healthy set-up, each one point of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fault_lab import MAC, OWN, OWN6, WEB2, Scene
from netns_case import wait_until
from verify_case import OTHER_VIP as OTHER
from verify_case import VIP, VIP6

from tools import need

__all__ = ["MAC", "OTHER", "OWN", "OWN6", "VIP", "VIP6", "WEB2"]

Injection = Callable[[Scene], None]
DROP: Final = "drop"
ACCEPT: Final = "accept"


@dataclass(frozen=True)
class Rule:
    """A rule about ARP, in words that each tool's are made of. `field` is -s or -d; `deed` is drop,
    accept, or the address that is written in place of the source; `operation` 1 is for requests, 2
    for answers alone."""

    chain: str
    field: str
    vip: str
    deed: str
    card: str = ""
    operation: int = 0
    is_not: bool = False

    def at(self, chain: str) -> Rule:
        return replace(self, chain=chain)

    def by(self, field: str) -> Rule:
        return replace(self, field=field)

    def to(self, deed: str) -> Rule:
        return replace(self, deed=deed)

    def on(self, card: str) -> Rule:
        return replace(self, card=card)

    def of(self, operation: int) -> Rule:
        return replace(self, operation=operation)

    def inverted(self) -> Rule:
        return replace(self, is_not=True)

    def arptables(self) -> list[str]:
        chain, option = {"in": ("INPUT", "-i"), "out": ("OUTPUT", "-o")}[self.chain]
        words = ["-A", chain, *(["!"] if self.is_not else []), self.field, self.vip]
        words += [option, self.card] if self.card else []
        words += ["--opcode", str(self.operation)] if self.operation else []
        if self.deed in {DROP, ACCEPT}:
            return [*words, "-j", self.deed.upper()]
        return [*words, "-j", "mangle", "--mangle-ip-s", self.deed]

    def nft(self) -> str:
        field = {"-s": "saddr", "-d": "daddr"}[self.field]
        key = {"in": "iifname", "out": "oifname"}[self.chain]
        words = [f"{key} {self.card}"] if self.card else []
        words += [f"arp operation {self.operation}"] if self.operation else []
        words += [f"arp {field} ip {'!= ' if self.is_not else ''}{self.vip}"]
        words += [self.deed if self.deed in {DROP, ACCEPT} else f"arp saddr ip set {self.deed}"]
        return " ".join(words)


def for_vip(vip: str) -> tuple[Rule, Rule]:
    """What a VIP needs."""
    return Rule("in", "-d", vip, DROP), Rule("out", "-s", vip, OWN)


GOOD = (*for_vip(VIP), *for_vip(OTHER))
IN, OUT = GOOD[::2], GOOD[1::2]
ASKING = tuple(rule.of(1) for rule in OUT)
"""Leaves the server's answers alone, which OUT rewrites as well."""


def rules(*wanted: Rule) -> Injection:
    """These in place of those that there are."""

    def do(scene: Scene) -> None:
        flush(scene)
        if scene.method == "nftables":
            chains = "".join(
                f"chain {hook} {{\ntype filter hook {hook}put priority 0\n"
                + "".join(f"{rule.nft()}\n" for rule in wanted if rule.chain == hook)
                + "}\n"
                for hook in ("in", "out")
            )
            scene.nft(f"table arp drctl_arp {{\n{chains}}}\n")
        else:
            for rule in wanted:
                scene.web.run("arptables", *rule.arptables())

    return do


def forgetful(change: Injection) -> Injection:
    """And the real server has not spoken with anybody for a while."""

    def do(scene: Scene) -> None:
        change(scene)
        scene.web.ip("neigh", "flush", "dev", "eth0")

    return do


def arp_policy(hook: str) -> Injection:
    """What is right, and whatever is not named at this hook is dropped."""

    def do(scene: Scene) -> None:
        if scene.method == "nftables":
            scene.nft(f"add chain arp drctl_arp {hook} {{ policy drop; }}\n")
        else:
            scene.web.run("arptables", "-P", hook.upper(), "DROP")

    return do


def limited(scene: Scene) -> None:
    rules(*ASKING)(scene)
    words = "".join(f"add rule arp drctl_arp in {rule.nft()}\n" for rule in IN)
    scene.nft(words.replace(" drop", " limit rate over 100/second drop"))


def unhooked(scene: Scene) -> None:
    flush(scene)
    rules = "".join(f"{rule.nft()}\n" for rule in IN)
    scene.nft(f"table arp site {{ chain input {{\n{rules}}}\n}}\n")


def flush(scene: Scene) -> None:
    """As somebody does who loads a firewall of his own."""
    if scene.method.startswith("arptables"):
        scene.web.run("arptables", "-F")
    elif scene.method == "iptables":
        scene.web.run("iptables", "-t", "nat", "-F")
    else:
        scene.web.run("nft", "flush", "ruleset")


def sysctl(**values: int) -> Injection:
    return lambda scene: scene.sysctl(**values)


def ip(*lines: str) -> Injection:
    return lambda scene: scene.web.ip_batch(*lines)


def in_turn(*deeds: Injection) -> Injection:
    def do(scene: Scene) -> None:
        for deed in deeds:
            deed(scene)

    return do


def setting(*words: str) -> Injection:
    def do(scene: Scene) -> None:
        scene.web.run("sysctl", "-qw", *words)

    return do


def second_card(scene: Scene) -> None:
    scene.second_card()


BLIND_CARD = ip("link add eth1 type veth peer name far", "link set eth1 up", "link set far up")
"""A card that leads nowhere."""


def second_card_with_settings(scene: Scene) -> None:
    scene.second_card()
    values = {"arp_ignore": 1, "arp_announce": 2}
    scene.sysctl(
        **{f"{card}_{key}": value for card in ("eth0", "eth1") for key, value in values.items()}
    )
    scene.sysctl(all_arp_ignore=0)


def bridge_with_settings(scene: Scene) -> None:
    """The server's address moves from the card to a bridge over it."""
    scene.web.ip_batch(
        "link add br0 type bridge forward_delay 0",
        f"link set br0 address {MAC}",
        f"address del {OWN}/24 dev eth0",
        f"address del {OWN6}/64 dev eth0",
        "link set eth0 master br0",
        "link set br0 up",
        f"address add {OWN}/24 dev br0",
        f"address add {OWN6}/64 dev br0 nodad",
    )
    values = {"arp_ignore": 1, "arp_announce": 2}
    scene.sysctl(
        **{f"{card}_{key}": value for card in ("eth0", "br0") for key, value in values.items()}
    )
    scene.sysctl(all_arp_ignore=0, all_arp_announce=0)


def wide(scene: Scene) -> None:
    scene.web.ip_batch(f"address del {VIP}/32 dev lo", f"address add {VIP}/24 dev lo")


def wide6(scene: Scene) -> None:
    scene.web.ip_batch(
        f"address del {VIP6}/128 dev lo",
        f"address add {VIP6}/64 dev lo",
        f"address del {OWN6}/64 dev eth0",
        f"address add {OWN6}/64 dev eth0 nodad",
    )


def local_route(scene: Scene) -> None:
    scene.web.ip_batch(f"address del {VIP}/32 dev lo", f"route add local {VIP} dev lo")


def reboot_without_rules(scene: Scene) -> None:
    flush(scene)
    scene.web.ip_batch("link set eth0 down", "address flush dev lo", "link set eth0 up")
    lines = [f"address add {vip}/32 dev lo" for vip in (VIP, OTHER)]
    scene.web.ip_batch(
        "address add 127.0.0.1/8 dev lo",
        *lines,
        f"address add {VIP6}/128 dev lo",
        f"address replace {OWN6}/64 dev eth0 nodad",
    )


_ANNOUNCER = """\
import sys, time
from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.core.value import Vip
vip = Vip(sys.argv[1], 128 if ":" in sys.argv[1] else 32, "eth0")
told = NdSocket("eth0") if vip.is_v6 else ArpSocket("eth0")
while True:
    told.announce([vip])
    print("told", flush=True)
    time.sleep(0.05)
"""


def announce(vip: str = VIP, at: str = "") -> Injection:
    """A VIP is announced by the real server, or another machine of the lab or of this fault."""

    def do(scene: Scene) -> None:
        host = {**scene.lab.hosts, **scene.others}.get(at)
        words = (sys.executable, "-c", _ANNOUNCER, vip)
        program = scene.start(*words, stdout=subprocess.PIPE, on=host)
        assert program.stdout is not None
        scene.stack.callback(program.stdout.close)
        assert program.stdout.readline() == b"told\n"

    return do


_KEEPALIVED = f"""\
global_defs {{
    vrrp_version 3
}}
vrrp_instance VI_1 {{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 250
    advert_int 0.1
    virtual_ipaddress {{
        {VIP}/32
    }}
}}
"""


def keepalived(scene: Scene) -> None:
    program = need("keepalived", "keepalived")
    folder = scene.lab.folder
    (folder / "web1.conf").write_text(_KEEPALIVED)
    files = [
        word
        for option, name in (("-f", "web1.conf"), ("-p", "all.pid"), ("-r", "vrrp.pid"))
        for word in (option, str(folder / name))
    ]
    scene.start(program, "-P", "-n", "-l", *files)
    end = time.monotonic() + 20
    while not json.loads(scene.web.ip("-json", "address", "show", "eth0", "to", VIP) or "[]"):
        assert time.monotonic() < end, "keepalived has not taken the VIP"
        wait_until(time.monotonic() + 0.05)


def redirect(port: int, to: int = 0, protocol: str = "tcp") -> Injection:
    """Rules of this shape in place of those that there are."""

    def do(scene: Scene) -> None:
        flush(scene)
        for vip in (VIP, OTHER):
            if scene.method == "iptables":
                words = ["-d", vip, "-p", protocol, "--dport", str(port), "-j", "REDIRECT"]
                words += ["--to-ports", str(to)] if to else []
                scene.web.run("iptables", "-t", "nat", "-A", "PREROUTING", *words)
            else:
                where = f" to :{to}" if to else ""
                scene.nft(
                    "table ip t { chain c { type nat hook prerouting priority dstnat; "
                    f"ip daddr {vip} {protocol} dport {port} redirect{where}\n}}\n}}\n"
                )
        if scene.method == "nft-redirect":
            scene.nft(
                "table ip6 t { chain c { type nat hook prerouting priority dstnat; "
                f"ip6 daddr {VIP6} tcp dport 80 redirect\n}}\n}}\n"
            )

    return do


def stateless(scene: Scene) -> None:
    flush(scene)
    scene.nft(
        "table ip t { chain c { type filter hook prerouting priority -300; "
        f"ip daddr {{ {VIP}, {OTHER} }} ip daddr set {OWN}\n}}\n}}\n"
    )


def listen(*addresses: str) -> Injection:
    return lambda scene: scene.listen(*addresses)


def listen_on(card: str) -> Injection:
    return lambda scene: scene.listen(device=card)


def listen_on_first_of_two(scene: Scene) -> None:
    scene.web.ip_batch("link add eth1 type veth peer name far", "link set eth1 up")
    scene.listen(device="eth0")


def listen_v6(*, only: bool) -> Injection:
    return lambda scene: scene.listen("::", is_v6_only=only)


def stop_listening(scene: Scene) -> None:
    scene.listeners.close()


def firewall(rule: str, hook: str = "input priority 0", table: str = "inet site") -> Injection:
    chain = hook.split()[0]

    def do(scene: Scene) -> None:
        scene.nft(
            f"table {table}\ndelete table {table}\n"
            f"table {table} {{ chain {chain} {{ type filter hook {hook}; {rule}\n}}\n}}\n"
        )

    return do


def at_device(hook: str, rule: str) -> Injection:
    """A rule of family netdev."""
    return firewall(rule, f"{hook} device eth0 priority 0", "netdev site")


def closed_firewall(
    port: int, table: str = "inet site", icmp: str = "icmp, ipv6-icmp"
) -> Injection:
    """As many hosts have one."""
    return firewall(
        "policy drop; ct state established,related accept; iif lo accept\n"
        f"meta l4proto {{ {icmp} }} accept\ntcp dport {{ 22, {port} }} accept",
        table=table,
    )


def iptables(*rules: str) -> Injection:
    def do(scene: Scene) -> None:
        for rule in rules:
            scene.web.run("iptables", *rule.split())

    return do


def suspect(scene: Scene) -> None:
    """The IPv6 VIP is on the card, and the kernel has found that somebody else has it."""
    scene.web.ip_batch(f"address del {VIP6}/128 dev lo", f"address add {VIP6}/128 dev eth0")
    end = time.monotonic() + 20
    while "dadfailed" not in scene.web.ip("-6", "address", "show", "dev", "eth0", "to", VIP6):
        assert time.monotonic() < end, "no duplicate was found"
        wait_until(time.monotonic() + 0.05)


def rewrite_answers(port: int) -> Injection:
    def do(scene: Scene) -> None:
        scene.nft(
            "table ip site\ndelete table ip site\n"
            "table ip site { chain out { type filter hook postrouting priority 300; "
            f"ip saddr {{ {VIP}, {OTHER} }} tcp sport {port} ip saddr set {OWN}\n}}\n}}\n"
        )

    return do


def forwarding(scene: Scene) -> None:
    scene.web.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def proxy_of_another(scene: Scene) -> None:
    keys = ("forwarding", "proxy_ndp")
    scene.web.run("sysctl", "-qw", *(f"net.ipv6.conf.all.{key}=1" for key in keys))
    scene.web.ip("-6", "neigh", "add", "proxy", "2001:db8::110", "dev", "eth0")


def no_ping(scene: Scene) -> None:
    scene.web.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")


def dormant(scene: Scene) -> None:
    scene.web.run("nft", "add table arp drctl_arp { flags dormant; }")


def unplug(scene: Scene) -> None:
    scene.lab.segment.switch.ip("link", "set", "web1", "down")


def vip_on(name: str, vip: str = VIP) -> Injection:
    return lambda scene: scene.vip_on(scene.lab.hosts[name], vip)


def vip_off(name: str) -> Injection:
    return lambda scene: scene.vip_off(scene.lab.hosts[name])


def foreign(scene: Scene) -> None:
    scene.others["other"] = scene.host("other", "192.0.2.77/24")


def foreign_has_it(scene: Scene) -> None:
    scene.others["other"].ip("address", "add", f"{VIP}/32", "dev", "eth0")


def double(scene: Scene) -> None:
    scene.others["other"].ip("address", "add", f"{OWN}/24", "dev", "eth0")


def router(scene: Scene) -> None:
    made = scene.others["router"] = scene.host("router", "192.0.2.254/32")
    made.ip_batch(
        "link add eth1 type veth peer name eth2",
        "link set eth1 up",
        "link set eth2 up",
        "address add 198.51.100.1/24 dev eth1",
        "route add default dev eth1",
    )
    made.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def proxy_arp(scene: Scene) -> None:
    scene.others["router"].run("sysctl", "-qw", "net.ipv4.conf.eth0.proxy_arp=1")


def macvlan(mac: str) -> Injection:
    """A device on the card, with a MAC and an address of its own."""
    return ip(
        f"link add link eth0 name mv0 address {mac} type macvlan mode bridge",
        "link set mv0 up",
        "address add 198.51.100.41/32 dev mv0",
    )


def route_by_blind_card(scene: Scene) -> None:
    """To the VIP, on a server that forwards."""
    BLIND_CARD(scene)
    scene.web.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    scene.web.ip("route", "add", VIP, "dev", "eth1")


def silenced(name: str) -> Injection:
    """A director that has the rules of a real server."""

    def do(scene: Scene) -> None:
        host = scene.lab.hosts[name]
        host.run("arptables", "-A", "INPUT", "-d", VIP, "-j", "DROP")
        scene.stack.callback(host.run, "arptables", "-F")

    return do


def vip_on_lo(name: str) -> Injection:
    def do(scene: Scene) -> None:
        host = scene.lab.hosts[name]
        host.ip("address", "add", f"{VIP}/32", "dev", "lo")
        scene.stack.callback(host.ip, "address", "del", f"{VIP}/32", "dev", "lo")

    return do


def _entry(scene: Scene, mac: str, state: str) -> None:
    director = scene.lab.hosts["lb1"]
    director.ip("neigh", "replace", OWN, "lladdr", mac, "dev", "eth0", "nud", state)
    scene.stack.callback(director.ip, "neigh", "flush", "dev", "eth0", "nud", "all")


def static_entry(mac: str) -> Injection:
    return lambda scene: _entry(scene, mac, "permanent")


def remember_mac(scene: Scene) -> None:
    _entry(scene, MAC, "reachable")


def change_mac(scene: Scene) -> None:
    _entry(scene, MAC, "reachable")
    scene.web.ip("link", "set", "eth0", "address", "02:00:5e:10:00:78")
