"""A link over link-local addresses, which name a card, goes on when that card is made anew."""

from __future__ import annotations

from heartbeat_case import end_of, keyring, keys_of, turn_until
from netns_case import Host, Segment, segment

from drctl.adapters.heartbeat import HeartbeatLink, LinkDown

PORT = 5390


def _end_address(host: Host, number: int) -> None:
    host.ip("address", "add", f"fe80::{number}/64", "dev", "eth0", "nodad")


def _links(own: int, other: int) -> list[HeartbeatLink]:
    return [HeartbeatLink(f"lb{other}", "link0", f"fe80::{own}%eth0", f"fe80::{other}%eth0", PORT)]


def _make_again(made: Segment, host: Host) -> None:
    made.switch.ip("link", "delete", host.name)
    port = f"type veth peer name eth0 netns {host.namespace}"
    made.switch.ip_batch(f"link add {host.name} {port}", f"link set {host.name} master br0 up")
    host.ip("link", "set", "eth0", "up")


def test_link_local_link_is_back_after_its_card_was_made_again() -> None:
    keys = keys_of(2)
    with segment() as made:
        hosts = [made.host(name) for name in ("lb1", "lb2")]
        for number, host in enumerate(hosts, 1):
            _end_address(host, number)
        with (
            hosts[0].inside(),
            end_of(_links(1, 2), keyring(keys, "lb1")) as first,
            hosts[1].inside(),
            end_of(_links(2, 1), keyring(keys, "lb2")) as second,
        ):
            both = (first, second)

            def is_up() -> bool:
                first.heartbeat.send("lb2", b"beat")
                second.heartbeat.send("lb1", b"beat")
                return bool(first.heard) and bool(second.heard)

            assert turn_until(both, is_up)
            _make_again(made, hosts[0])

            def is_noticed() -> bool:
                is_up()
                downs = [any(isinstance(one, LinkDown) for one in end.events) for end in both]
                return all(downs)

            assert turn_until(both, is_noticed)
            with hosts[0].inside():
                first.heartbeat.renew("eth0")
            _end_address(hosts[0], 1)
            for end in both:
                end.heard.clear()
            assert turn_until(both, is_up)


def test_links_of_other_cards_are_not_touched() -> None:
    keys = keys_of(2)
    with segment() as made:
        host = made.host("lb1", "192.0.2.1/24")
        links = [HeartbeatLink("lb2", "link0", "192.0.2.1", "192.0.2.2", PORT)]
        with host.inside(), end_of(links, keyring(keys, "lb1")) as end:
            before = end.heartbeat.fileno()
            end.heartbeat.renew("eth0")
            assert end.heartbeat.fileno() == before
            assert not turn_until((end,), lambda: bool(end.events), 0.1)
