"""The other director's configuration from one director's."""

from __future__ import annotations

import oracle
import pytest
from keepalived_case import model_of, rendered

from drctl.convert.ledger import Ledger
from drctl.convert.peer import PeerOptions, derive_pair, derive_peer
from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.model.vrrp import VrrpInstance
from tools import need, need_root


def _instance(**words: str) -> str:
    given = {"interface": "eth0", "virtual_router_id": "51", **words}
    lines = "".join(f"    {key} {value}\n" for key, value in given.items())
    return f"vrrp_instance A {{\n{lines}    virtual_ipaddress {{\n        192.0.2.9\n    }}\n}}\n"


def _peer(text: str, options: PeerOptions = PeerOptions()) -> Configuration:  # noqa: B008
    return derive_peer(model_of(text), Ledger(), options)


def _only(configuration: Configuration) -> VrrpInstance:
    (instance,) = configuration.instances
    return instance


UNICAST = """\
vrrp_instance A {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    unicast_src_ip 192.0.2.11
    unicast_peer {
        192.0.2.12
        192.0.2.13
    }
    virtual_ipaddress {
        192.0.2.9
    }
}
"""


@pytest.mark.parametrize(
    ("state", "priority", "extra", "rank", "peer_state", "peer_priority"),
    [
        ("MASTER", "150", "", Rank.BACKUP, "BACKUP", 100),
        ("BACKUP", "100", "", Rank.PRIMARY, "MASTER", 150),
        ("MASTER", "255", "", Rank.BACKUP, "BACKUP", 100),
        ("MASTER", "30", "", Rank.BACKUP, "BACKUP", 1),
        ("BACKUP", "250", "", Rank.PRIMARY, "MASTER", 254),
        ("BACKUP", "150", "nopreempt", Rank.BACKUP, "BACKUP", 100),
        ("BACKUP", "90", "nopreempt", Rank.PRIMARY, "BACKUP", 140),
        ("BACKUP", "1", "", Rank.PRIMARY, "MASTER", 51),
        ("BACKUP", "100", "preempt_delay 5", Rank.PRIMARY, "BACKUP", 150),
    ],
)
def test_peer_has_the_other_state_and_a_priority_that_decides(
    state: str, priority: str, extra: str, rank: Rank, peer_state: str, peer_priority: int
) -> None:
    words = {"state": state, "priority": priority}
    if extra:
        keyword, _, value = extra.partition(" ")
        words[keyword] = value
    peer = _peer(_instance(**words))
    assert peer.rank is rank
    assert (_only(peer).state, _only(peer).priority) == (peer_state, peer_priority)
    assert _only(peer).is_preempting is ("nopreempt" not in words)


@pytest.mark.parametrize(("weight", "difference"), [(-20, 10), (2, 1), (-200, 50)])
def test_peer_priority_is_near_enough_for_a_track_weight(weight: int, difference: int) -> None:
    script = f"vrrp_script c {{\n    script /bin/true\n    weight {weight}\n}}\n"
    text = script + _instance(state="MASTER", priority="100").replace(
        "    virtual_ipaddress", "    track_script {\n        c\n    }\n    virtual_ipaddress"
    )
    assert 100 - (_only(_peer(text)).priority or 0) == difference


def test_peer_changes_the_ends_of_unicast_and_keeps_further_peers() -> None:
    instance = _only(_peer(UNICAST))
    assert instance.unicast_source == "192.0.2.12"
    assert [peer.address for peer in instance.unicast_peers] == ["192.0.2.11", "192.0.2.13"]


def test_peer_changes_the_ends_of_ipv6_unicast() -> None:
    text = UNICAST.replace("192.0.2.1", "2001:db8::1").replace("192.0.2.9", "2001:db8::9")
    instance = _only(_peer(text))
    assert instance.unicast_source == "2001:db8::12"
    assert instance.unicast_peers[0].address == "2001:db8::11"


def test_peer_of_peer_has_the_addresses_of_the_given_director() -> None:
    text = UNICAST.replace("        192.0.2.13\n", "")
    given = model_of(text)
    again = derive_peer(derive_peer(given, Ledger()), Ledger())
    assert again == given


def test_peer_without_own_address_stays_in_the_fault_state_and_is_told() -> None:
    text = UNICAST.replace("    unicast_src_ip 192.0.2.11\n", "").replace(
        "        192.0.2.13\n", ""
    )
    ledger = Ledger()
    peer = derive_peer(model_of(text), ledger)
    assert _only(peer).unicast_source == "192.0.2.12"
    assert _only(peer).unicast_peers == ()
    assert "unicast_fault_no_peer" in rendered(peer)
    assert any("--own-address" in note.todo for notes in ledger.notes.values() for note in notes)
    need_root()
    program = need("keepalived", "keepalived")
    assert oracle.verdict(rendered(peer), program=program) == oracle.Verdict(0, ())


def test_peer_with_the_own_address_given_listens_to_it() -> None:
    text = UNICAST.replace("    unicast_src_ip 192.0.2.11\n", "")
    peer = _peer(text, PeerOptions(address="192.0.2.10"))
    assert [one.address for one in _only(peer).unicast_peers] == ["192.0.2.10", "192.0.2.13"]


def test_peer_of_shared_work_turns_each_instance_round() -> None:
    text = _instance(state="MASTER", priority="150") + _instance(
        state="BACKUP", priority="100", virtual_router_id="52"
    ).replace("instance A", "instance B").replace("2.9", "2.10")
    first, second = _peer(text).instances
    assert (first.state, first.priority) == ("BACKUP", 100)
    assert (second.state, second.priority) == ("MASTER", 150)


def test_peer_keeps_what_it_could_not_read_and_says_so() -> None:
    ledger = Ledger()
    text = "$P=150\n" + _instance(state="MASTER", priority="$P")
    peer = derive_peer(model_of(text), ledger)
    assert _only(peer).priority is None
    assert rendered(peer).count("priority") == 1
    todos = [note.todo for notes in ledger.notes.values() for note in notes]
    assert "write the peer's priority" in todos


def test_peer_leaves_out_addresses_of_one_machine_with_a_note() -> None:
    ledger = Ledger()
    text = "static_ipaddress {\n    192.0.2.11/24 dev eth0\n}\n" + _instance(
        state="MASTER", priority="150", mcast_src_ip="192.0.2.11"
    )
    peer = derive_peer(model_of(text), ledger)
    assert "192.0.2.11" not in rendered(peer)
    assert {line for _, line, _ in ledger.notes} >= {2, 8}


def test_peer_sends_checks_from_its_own_address() -> None:
    service = (
        "virtual_server 192.0.2.9 80 {\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n"
        "            bindto 192.0.2.11\n        }\n    }\n}\n"
    )
    assert "bindto 192.0.2.12" in rendered(_peer(UNICAST + service))


@pytest.mark.parametrize(
    ("own", "peer"),
    [
        ("LVS_MASTER", "LVS_BACKUP"),
        ("lb1", "lb2"),
        ("node-a", "node-b"),
        ("lb01.example.org", "lb02.example.org"),
        ("LVS_DEVEL", "LVS_DEVEL_backup"),
    ],
)
def test_peer_router_id_is_like_the_given_one(own: str, peer: str) -> None:
    text = f"global_defs {{\n    router_id {own}\n}}\n" + _instance(state="MASTER", priority="150")
    assert _peer(text).settings.router_id == peer


def test_pair_with_priorities_has_them_on_both() -> None:
    model = model_of(_instance(state="BACKUP", priority="7"))
    pair = derive_pair(model, Ledger(), PeerOptions(priorities=(200, 120)))
    assert pair.given is Rank.BACKUP
    assert (_only(pair.primary).priority, _only(pair.backup).priority) == (200, 120)


def test_peer_of_a_file_without_instances_is_refused() -> None:
    with pytest.raises(UsageError, match="vrrp_instance"):
        _peer("global_defs {\n    router_id a\n}\n")


EMPTY = """\
global_defs {
    notification_email {
    }
}
vrrp_instance A {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    unicast_src_ip 192.0.2.1
    unicast_peer {
    }
    authentication {
    }
    virtual_ipaddress {
    }
    track_script {
    }
}
"""


def test_empty_blocks_stay_in_both_files_and_are_no_task() -> None:
    model = model_of(EMPTY)
    ledger = Ledger()
    peer = derive_peer(model, ledger)
    for made in (rendered(model), rendered(peer)):
        for block in ("notification_email", "unicast_peer", "authentication", "track_script"):
            assert f"{block} {{\n" in made
        assert made.count("virtual_ipaddress {\n    }\n") == 1
    assert "unicast_src_ip" not in rendered(peer)
    assert model_of(rendered(model)) == model
    todos = [note.todo for notes in ledger.notes.values() for note in notes]
    assert "check the statement" not in todos


NETWORK = """\
bfd_instance uplink {
    source_ip 192.0.2.11
    neighbor_ip 192.0.2.1
}
bfd_instance peer {
    source_ip 192.0.2.11
    neighbor_ip 192.0.2.12
}
bfd_instance other {
    source_ip 198.51.100.1
    neighbor_ip 198.51.100.2
}
"""


def test_own_address_in_sessions_and_routes_becomes_the_peers() -> None:
    routes = (
        "    virtual_routes {\n        default via 192.0.2.1 dev eth0 src 192.0.2.11\n    }\n"
        "    virtual_rules {\n        from 192.0.2.11 table 5 priority 9\n    }\n"
    )
    ledger = Ledger()
    peer = derive_peer(
        model_of(NETWORK + UNICAST.replace("    priority", routes + "    priority")), ledger
    )
    assert [(one.source, one.neighbor) for one in peer.bfd_sessions] == [
        ("192.0.2.12", "192.0.2.1"),
        ("192.0.2.12", "192.0.2.11"),
        ("198.51.100.1", "198.51.100.2"),
    ]
    instance = _only(peer)
    assert (instance.routes[0].source, instance.rules[0].source) == ("192.0.2.12", "192.0.2.12")


@pytest.mark.parametrize(
    ("block", "track", "expected"),
    [
        ("vrrp_track_process p {\n process a\n weight -20\n}\n", "track_process", 140),
        ("bfd_instance p {\n neighbor_ip 192.0.2.1\n weight 8\n}\n", "track_bfd", 146),
    ],
)
def test_priority_of_the_peer_lets_a_lost_process_or_session_move_the_vips(
    block: str, track: str, expected: int
) -> None:
    tracked = f"    {track} {{\n        p\n    }}\n    priority"
    peer = _peer(block + UNICAST.replace("    priority", tracked))
    assert _only(peer).priority == expected
