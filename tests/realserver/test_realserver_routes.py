"""The way back of masqueraded servers: set in this host's kernel alone, and put back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from netns_case import Host, segment
from realserver_case import wanted_of
from verify_case import vrrp_instance

from drctl.realserver.apply import apply, changes, remove
from drctl.realserver.guard import Guard
from drctl.realserver.journal import Journal
from drctl.realserver.read import read_kernel
from drctl.realserver.step import steps_of
from drctl.realserver.value import Wanted

GATEWAY, GATEWAY6, ROUTER, ROUTER6 = "192.0.2.254", "2001:db8::254", "192.0.2.1", "2001:db8::1"
NAT = (
    "virtual_server 192.0.2.100 25 {\n    lb_kind NAT\n    real_server 192.0.2.21 25 {\n    }\n}\n"
)
NAT6 = (
    "virtual_server 2001:db8::100 25 {\n    lb_kind NAT\n"
    "    real_server 2001:db8::21 25 {\n    }\n}\n"
)
DR = "virtual_server 192.0.2.100 80 {\n    lb_kind DR\n    real_server 192.0.2.21 80 {\n    }\n}\n"
INSTANCE = vrrp_instance("192.0.2.100/24", f"{GATEWAY}/24", "2001:db8::100/64", f"{GATEWAY6}/64")
STATE = Path("/var/lib/drctl")
BEFORE = {
    "none": [],
    "another": [f"route add default via {ROUTER}"],
    "several": [
        f"route add default via {ROUTER} metric 50",
        f"route add default via {GATEWAY} metric 70",
    ],
    "several at once": [
        "route add default nexthop via 192.0.2.1 weight 2 nexthop via 192.0.2.3 weight 1"
    ],
    "the same": [f"route add default via {GATEWAY}"],
}


class Server:
    """A host with the steps that make it a real server, and their journal."""

    def __init__(self, host: Host, wanted: Wanted, path: Path) -> None:
        self.host = host
        self.wanted = wanted
        self.path = path

    def state(self) -> str:
        """All routes and rules."""
        shown = (
            self.host.ip(family, *words)
            for family in ("-4", "-6")
            for words in (("route", "show", "table", "all"), ("rule", "show"))
        )
        return "".join(shown)

    def apply(self) -> list[str]:
        """What was done."""
        with self.host.inside():
            journal = Journal(self.path)
            told: list[str] = []
            todo = changes(steps_of(self.wanted), journal)
            apply(todo, journal, Guard(self.wanted, read_kernel), told.append)
        return told

    def remove(self) -> None:
        with self.host.inside():
            remove(Journal(self.path), lambda _: None)

    def defaults(self, family: str = "-4") -> str:
        return self.host.ip(family, "route", "show", "default").splitlines()[0]


def _state_of_the_machine() -> list[str]:
    return sorted(map(str, STATE.glob("*"))) if STATE.exists() else ["none"]


@pytest.mark.parametrize("before", BEFORE)
def test_default_route_leads_through_the_director_and_back_as_it_was(
    tmp_path: Path, before: str
) -> None:
    wanted = wanted_of(tmp_path, INSTANCE + NAT, "192.0.2.21")
    machine = _state_of_the_machine()
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        host.ip_batch(*BEFORE[before])
        server = Server(host, wanted, tmp_path / "journal.json")
        as_it_was = server.state()
        server.apply()
        assert server.defaults().startswith(f"default via {GATEWAY} ")
        assert server.apply() == []
        server.remove()
        assert server.state() == as_it_was
        assert not server.path.exists()
    assert _state_of_the_machine() == machine


def test_way_back_of_ipv6_is_one_of_its_own(tmp_path: Path) -> None:
    wanted = wanted_of(tmp_path, INSTANCE + NAT6, "2001:db8::21")
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24", "2001:db8::21/64")
        host.ip("route", "add", "default", "via", ROUTER)
        host.ip("-6", "route", "add", "default", "via", ROUTER6, "metric", "1024")
        server = Server(host, wanted, tmp_path / "journal.json")
        as_it_was = server.state()
        server.apply()
        assert server.defaults("-6").startswith(f"default via {GATEWAY6} ")
        assert server.defaults().startswith(f"default via {ROUTER} ")
        server.remove()
        assert server.state() == as_it_was


def test_two_servers_of_one_machine_keep_their_own_routes_in_mind(tmp_path: Path) -> None:
    with segment() as made:
        servers = []
        for name, router in (("web1", ROUTER), ("web2", "192.0.2.3")):
            host = made.host(name, "192.0.2.21/24")
            host.ip("route", "add", "default", "via", router)
            wanted = wanted_of(tmp_path, INSTANCE + NAT, "192.0.2.21")
            servers.append(Server(host, wanted, tmp_path / f"{name}.json"))
        states = [server.state() for server in servers]
        for server in servers:
            server.apply()
        for server in servers:
            server.remove()
        assert [server.state() for server in servers] == states


def test_server_of_both_kinds_answers_by_its_source(tmp_path: Path) -> None:
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        host.ip("route", "add", "default", "via", ROUTER)
        server = Server(
            host, wanted_of(tmp_path, INSTANCE + NAT + DR, "192.0.2.21"), tmp_path / "j.json"
        )
        as_it_was = server.state()
        server.apply()
        own, vip = (
            host.ip("route", "get", "203.0.113.9", "from", source)
            for source in ("192.0.2.21", "192.0.2.100")
        )
        assert f"via {GATEWAY}" in own
        assert f"via {ROUTER}" in vip
        assert "via" not in host.ip("route", "get", "192.0.2.77", "from", "192.0.2.21")
        assert server.apply() == []
        server.remove()
        assert server.state() == as_it_was
