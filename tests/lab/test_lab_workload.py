"""What the client asks for and what the real servers listen on."""

from __future__ import annotations

import pytest
from lab_case import PAIR, VIRTUAL, scenario

from drctl.lab.plan import Flow, Listener


def flows(text: str) -> tuple[Flow, ...]:
    return scenario(PAIR + text).flows


def listeners(text: str, host: str) -> tuple[Listener, ...]:
    return next(h for h in scenario(PAIR + text).hosts if h.name == host).listeners


def test_flow_of_a_service_names_it_as_ipvs_does() -> None:
    (found,) = flows(VIRTUAL)
    assert (found.service, found.vip, found.port) == ("TCP 192.0.2.80:80", "192.0.2.80", 80)
    assert found.weights == (("web1", 1), ("web2", 1))


def test_flows_of_one_mark_are_one_for_each_port() -> None:
    marked = VIRTUAL.replace("port = 80", "port = 80\n  fwmark = 5")
    secure = marked.replace("virtual www", "virtual tls").replace("port = 80", "port = 443")
    found = flows(marked + secure)
    assert [(f.service, f.port) for f in found] == [("FWM 5", 80), ("FWM 5", 443)]
    assert {one.port for one in listeners(marked + secure, "web1")} == {80, 443}


@pytest.mark.parametrize(
    ("scheduler", "weights", "requests"),
    [("rr", (1, 1), 8), ("rr", (5, 7), 8), ("wrr", (3, 1), 8), ("wrr", (50, 25), 9)],
)
def test_flow_has_whole_cycles_of_its_scheduler(
    scheduler: str, weights: tuple[int, int], requests: int
) -> None:
    first, second = VIRTUAL.replace("scheduler = rr", f"scheduler = {scheduler}").split("web2")
    text = first.replace("weight = 1", f"weight = {weights[0]}") + "web2"
    (found,) = flows(text + second.replace("weight = 1", f"weight = {weights[1]}"))
    assert found.requests == requests


def test_flow_has_no_inactive_real_server() -> None:
    first, second = VIRTUAL.split("web2")
    (found,) = flows(f"{first}web2{second.replace('active = 1', 'active = 0')}")
    assert found.weights == (("web1", 1),)


def test_listener_of_a_direct_service_is_on_the_vips_port() -> None:
    assert [one.port for one in listeners(VIRTUAL, "web1")] == [80]


def test_listener_of_udp_is_udp() -> None:
    text = VIRTUAL.replace("protocol = tcp", 'protocol = udp\n  send = "ping"\n  expect = "pong"')
    (found,) = listeners(text, "web1")
    assert found.protocol == "udp"
    assert found.answer.startswith("pong")


def test_workload_notes_a_program_that_it_plays() -> None:
    program = '  send_program = "/opt/check %h"\n  expect = "UP"\n  timeout'
    found = scenario(PAIR + VIRTUAL.replace("  timeout", program))
    assert [one.path for one in found.stand_ins] == ["/opt/check"]
    assert any("/opt/check" in note for note in found.notes)
