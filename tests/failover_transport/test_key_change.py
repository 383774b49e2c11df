"""Keys change one node at a time, and the heartbeat goes on, encrypted and authenticated."""

from __future__ import annotations

from heartbeat_case import End, end_of, free_port, keyring, keys_of, links_between, turn_until

from drctl.adapters.heartbeat import LinkDown
from drctl.adapters.keys import Keyring, generate


def _exchange(first: End, second: End, within_s: float = 1.0) -> bool:
    """Whether a message still arrives in both directions; the senders repeat, as heartbeats do."""
    first.heard.clear()
    second.heard.clear()

    def is_done() -> bool:
        first.heartbeat.send("lb2", b"beat")
        second.heartbeat.send("lb1", b"beat")
        return bool(first.heard) and bool(second.heard)

    return turn_until((first, second), is_done, within_s)


def test_a_node_changes_its_key_while_two_links_go_on() -> None:
    keys, port, new = keys_of(2), free_port(), generate()
    old = keys["lb1"]
    own_links, other_links = links_between(1, [2], port, 2), links_between(2, [1], port, 2)
    with (
        end_of(own_links, keyring(keys, "lb1")) as first,
        end_of(other_links, keyring(keys, "lb2")) as second,
    ):
        assert _exchange(first, second)
        both = Keyring(keys["lb2"], {"lb1": (old.public, new.public)})
        second.heartbeat.reload(other_links, both)
        assert _exchange(first, second)
        assert not [event for event in first.events if isinstance(event, LinkDown)]

        first.heartbeat.reload(own_links, Keyring(new, {"lb2": (keys["lb2"].public,)}))
        downs: set[str] = set()

        def is_never_alone() -> bool:
            up = [second.heartbeat.is_up("lb1", f"link{number}") for number in range(2)]
            assert any(up), "both links were down at once"
            downs.update(f"link{number}" for number in range(2) if not up[number])
            second.heartbeat.send("lb1", b"beat")
            return downs == {"link0", "link1"} and all(up)

        assert turn_until((first, second), is_never_alone, 4.0), downs
        assert _exchange(first, second)

        second.heartbeat.reload(other_links, Keyring(keys["lb2"], {"lb1": (new.public,)}))
        assert _exchange(first, second)


def test_one_link_is_back_at_once_after_the_key_has_changed() -> None:
    keys, port, new = keys_of(2), free_port(), generate()
    with (
        end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first,
        end_of(
            links_between(2, [1], port),
            Keyring(keys["lb2"], {"lb1": (keys["lb1"].public, new.public)}),
        ) as second,
    ):
        assert _exchange(first, second)
        first.heartbeat.reload(
            links_between(1, [2], port), Keyring(new, {"lb2": (keys["lb2"].public,)})
        )
        assert _exchange(first, second, 0.5)


def test_a_key_that_was_taken_back_is_cut_off() -> None:
    keys, port = keys_of(2), free_port()
    links = links_between(1, [2], port)
    with (
        end_of(links, keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second,
    ):
        assert _exchange(first, second)
        first.heartbeat.reload(links, Keyring(keys["lb1"], {"lb2": (generate().public,)}))
        first.heard.clear()

        def is_cut() -> bool:
            second.heartbeat.send("lb1", b"beat")
            return not second.heartbeat.is_up("lb1", "link0")

        assert turn_until((first, second), is_cut)
        assert first.heard == []


def test_a_reload_without_a_change_touches_nothing() -> None:
    keys, port = keys_of(2), free_port()
    links = links_between(1, [2], port)
    with (
        end_of(links, keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second,
    ):
        assert _exchange(first, second)
        first.events.clear()
        second.events.clear()
        first.heartbeat.reload(links, keyring(keys, "lb1"))
        assert not turn_until((first, second), lambda: bool(first.events + second.events), 0.2)


def test_a_link_that_is_added_comes_up_and_one_that_is_removed_ends() -> None:
    keys, port = keys_of(2), free_port()
    with (
        end_of(links_between(1, [2], port, 1), keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port, 2), keyring(keys, "lb2")) as second,
    ):
        both = (first, second)
        assert _exchange(first, second)
        first.heartbeat.reload(links_between(1, [2], port, 2), keyring(keys, "lb1"))
        assert turn_until(both, lambda: first.heartbeat.is_up("lb2", "link1"))
        first.heartbeat.reload(links_between(1, [2], port, 2)[1:], keyring(keys, "lb1"))
        assert turn_until(both, lambda: LinkDown("lb2", "link0") in first.events)
        assert first.heartbeat.send("lb2", b"beat") == 1
