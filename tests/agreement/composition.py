"""Configurations composed of examples of the tables: many statements of one block side by side, so
that those which do not go together meet."""

from __future__ import annotations

import random
from functools import cache

from drctl.schema.load import load_dialect

Lines = list[str]

_BAD_SHARE = 0.15
"""Of examples that keepalived refuses."""
_LEFT_OUT = (
    "config_save_dir",
    "include",
    "net_namespace",
    "instance ",
    "track_file",
    "keepalived {",
)
"""They end the reading, depend on the machine, or make `-t` crash."""
_VALUES = (
    *("virtual_ipaddress_excluded", "virtual_routes", "virtual_rules", "track_interface"),
    *("track_script", "track_process", "track_bfd", "unicast_peer", "authentication"),
)
_CHECKS = (
    *("TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "PING_CHECK", "UDP_CHECK"),
    *("MISC_CHECK", "BFD_CHECK"),
)
_SERVICES = ("192.0.2.100 80", "group VG", "fwmark 5", "2001:db8::1 80", "192.0.2.101 0")
_SERVERS = ("192.0.2.11 80", "192.0.2.12", "2001:db8::5 80", "192.0.2.13 8080")


def compose(seed: int) -> str:
    """The configuration with this number. Its names are those that the examples speak of."""
    chance = random.Random(seed)
    lines = _globals(chance) + _tracked(chance) + _instances(chance) + _services(chance)
    return "\n".join(lines) + "\n"


def _block(header: str, *inside: Lines) -> Lines:
    return [f"{header} {{", *(line for lines in inside for line in lines), "}"]


def _some(chance: random.Random, path: str, most: int, least: int = 0) -> Lines:
    """Examples of a block's statements, mostly good ones."""
    good, bad = _examples(path)
    lines: Lines = []
    for _ in range(chance.randint(least, most)):
        texts = bad if bad and (not good or chance.random() < _BAD_SHARE) else good
        lines += chance.choice(texts).split("\n")
    return lines


@cache
def _examples(path: str) -> tuple[list[str], list[str]]:
    block = load_dialect("keepalived").blocks[path]
    keywords = {id(keyword): keyword for keyword in block.keywords.values()}.values()
    cases = [*block.cases, *(case for keyword in keywords for case in keyword.cases)]
    usable = [case for case in cases if not any(word in case.text for word in _LEFT_OUT)]
    return (
        [case.text for case in usable if case.is_accepted],
        [case.text for case in usable if not case.is_accepted],
    )


def _globals(chance: random.Random) -> Lines:
    lines = _block("global_defs", _some(chance, "global_defs", 8))
    for path in (
        *("static_ipaddress", "static_routes", "static_rules", "garp_group"),
        *("linkbeat_interfaces", "interface_up_down_delays", "SSL"),
    ):
        if chance.random() < 0.25:
            lines += _block(path, _some(chance, path, 4, 1))
    return lines


def _tracked(chance: random.Random) -> Lines:
    neighbour = ["neighbor_ip 192.0.2.9"] if chance.random() < 0.8 else []
    return [
        *_block("vrrp_script scr", ["script /usr/bin/true"], _some(chance, "vrrp_script", 4)),
        *_block("track_file F", ["file /run/f"], _some(chance, "track_file", 2)),
        *_block("vrrp_track_process pro", ["process p"], _some(chance, "vrrp_track_process", 4)),
        *_block("bfd_instance ses", neighbour, _some(chance, "bfd_instance", 5)),
    ]


def _instances(chance: random.Random) -> Lines:
    lines: Lines = []
    for number, name in enumerate(("V1", "V2")):
        own = [f"interface eth{number}", f"virtual_router_id {51 + number}"]
        inner: Lines = []
        for keyword in chance.sample(_VALUES, chance.randint(0, 2)):
            inner += _block(keyword, _some(chance, f"vrrp_instance/{keyword}", 3, 1))
        addresses: Lines = []
        if chance.random() < 0.8:
            addresses = _some(chance, "vrrp_instance/virtual_ipaddress", 3, 1)
            addresses = _block("virtual_ipaddress", addresses)
        parts = [own, _some(chance, "vrrp_instance", 6), addresses, inner]
        lines += _block(f"vrrp_instance {name}", *parts)
    if chance.random() < 0.6:
        group = _block("group", ["V1", "V2"])
        lines += _block("vrrp_sync_group G", group, _some(chance, "vrrp_sync_group", 3))
    return lines


def _services(chance: random.Random) -> Lines:
    lines: Lines = []
    if chance.random() < 0.6:
        entries = _some(chance, "virtual_server_group", 3, 1)
        lines += _block("virtual_server_group VG", entries)
    for service in chance.sample(_SERVICES, 2):
        inside = _some(chance, "virtual_server", 7, 1)
        for server in chance.sample(_SERVERS, 2):
            inside += _server(chance, server)
        lines += _block(f"virtual_server {service}", inside)
    return lines


def _server(chance: random.Random, server: str) -> Lines:
    path = "virtual_server/real_server"
    inside = _some(chance, path, 4)
    for check in chance.sample(_CHECKS, chance.randint(0, 2)):
        url: Lines = []
        if check in ("HTTP_GET", "SSL_GET"):
            url = _block("url", ["path /"], _some(chance, f"{path}/HTTP_GET/url", 4))
        inside += _block(check, _some(chance, f"{path}/{check}", 5, 1), url)
    return _block(f"real_server {server}", inside)
