"""What sends a lab's requests on: what the kernel's table says, what is told of the requests."""

from __future__ import annotations

from pathlib import Path

from lab_setup_case import BALANCED

from drctl.cli._lab_setup import design
from drctl.lab.plan import Flow
from drctl.lab.setup.balancer import Served, as_json, as_text, ready_services, unasked
from drctl.lab.setup.design import Source

TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000264:0050 rr
  -> C0000216:0050      Route   1      0          0
  -> C0000215:0050      Route   1      0          0
TCP  [2001:0db8:0000:0000:0000:0000:0000:0100]:0050 rr
FWM  00000005 wlc
  -> C0000215:0000      Route   1      0          0
"""


def flow(vip: str, service: str) -> Flow:
    return Flow(service, vip, 80, "tcp", "rr", False, "direct routing", (), (), 6)


WEB = flow("192.0.2.100", "TCP 192.0.2.100:80")
WEB6 = flow("2001:db8::100", "TCP [2001:db8::100]:80")
MARKED = flow("192.0.2.100", "FWM 5")


def test_service_without_a_real_server_is_not_ready() -> None:
    assert ready_services(TABLE) == 2


def test_table_without_services_has_none_ready() -> None:
    assert ready_services("".join(TABLE.splitlines(keepends=True)[:3])) == 0


def test_requests_are_told_by_who_answered_and_why_one_was_not() -> None:
    served = [
        Served(WEB, (("web1", 4), ("web2", 2)), ""),
        Served(WEB6, (), "timed out"),
        Served(WEB6, (("web1", 1),), "Connection refused"),
    ]
    assert as_text(served) == [
        "192.0.2.100:80/tcp  requests answered 4 by web1, 2 by web2",
        "[2001:db8::100]:80/tcp  a request failed: timed out",
        "[2001:db8::100]:80/tcp  requests answered 1 by web1; a request failed: Connection refused",
    ]
    assert as_json(served[:1]) == [
        {
            "vip": "192.0.2.100",
            "port": 80,
            "protocol": "tcp",
            "served_by": {"web1": 4, "web2": 2},
            "failure": "",
        }
    ]


def test_services_by_marks_are_told_as_not_tried() -> None:
    assert unasked([WEB, MARKED]) == ["FWM 5 is not tried: nothing in this lab marks packets"]


def test_checks_of_the_directors_are_connections_whatever_they_were(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(BALANCED, encoding="utf-8")
    made = design("t", Source(str(path), "auto", "sysctl"))
    for files in made.files.values():
        assert files["keepalived.conf"].count("TCP_CHECK") == 4
        assert "/not/there" not in files["keepalived.conf"]
    assert [one.vip for one in made.flows] == ["192.0.2.100", "2001:db8::100"]
