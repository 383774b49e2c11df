"""Broken braces: blocks of the model end where keepalived ends them, and nothing is lost."""

from __future__ import annotations

import re

import pytest
from coverage_of_reading import lost
from keepalived_case import rendered

from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.readers.keepalived import read
from drctl.readers.keepalived_nesting import BLOCKS, READERS, Nesting, nested
from drctl.readers.reading import Reading
from drctl.schema.load import load_dialect
from drctl.schema.table import version_of
from drctl.syntax.parser import parse_bytes

OLD, NEW = (2, 2, 7), (2, 4, 3)
WHOLE = """\
global_defs {
    router_id lb1
    notification_email {
        root@example.com
    }
}
vrrp_script up {
    script "/bin/true"
}
vrrp_instance A {
    interface eth0
    virtual_router_id 51
    authentication {
        auth_type PASS
        auth_pass secret
    }
    virtual_ipaddress {
        192.0.2.1
        192.0.2.2
    }
    track_script {
        up
    }
    priority 101
}
virtual_server 192.0.2.1 80 {
    protocol TCP
    real_server 192.0.2.11 80 {
        weight 2
        HTTP_GET {
            url {
                path /
            }
            retry 3
        }
    }
    real_server 192.0.2.12 80 {
        TCP_CHECK {
        }
    }
    delay_loop 7
}
vrrp_sync_group G {
    group {
        A
    }
}
"""


def reading(text: str, version: tuple[int, ...] = OLD) -> Reading:
    return read(parse_bytes("x", text.encode(), "keepalived"), version, is_effective=True)


def model(text: str, version: tuple[int, ...] = OLD) -> Configuration:
    return reading(text, version).configuration


def codes(text: str) -> list[str]:
    return [one.code for one in reading(text).diagnostics]


def test_unknown_block_closes_its_parent() -> None:
    text = "vrrp_instance A {\nauth_hmac {\npriority 99\n}\npriority 100\nvirtual_ipaddress {\n"
    text += "192.0.2.1\n}\n}\nvrrp_instance B {\npriority 7\n}\n"
    first, second = model(text).instances
    assert (first.priority, first.vips, second.priority) == (99, (), 7)
    assert model(text).leftovers == ()
    assert [one.text for one in reading(text).unread] == [
        "priority 100",
        "virtual_ipaddress",
        "192.0.2.1",
    ]
    assert "DR207" in codes(text)


def test_block_that_the_version_knows_closes_itself() -> None:
    text = "vrrp_instance A {\nauth_hmac {\nkey 1 abc\n}\npriority 100\n}\n"
    assert [one.priority for one in model(text, NEW).instances] == [100]
    assert [one.priority for one in model(text, (2, 3, 4)).instances] == [None]


def test_unknown_block_at_the_outermost_level_hides_no_block() -> None:
    text = "group g {\nvrrp_instance A {\npriority 9\n}\nvirtual_server 192.0.2.1 80 {\n}\n}\n"
    found = model(text)
    assert [one.priority for one in found.instances] == [9]
    assert len(found.services) == 1
    assert [one.text for one in found.leftovers] == ["group g"]


def test_unknown_block_without_a_block_of_keepalived_stays_whole() -> None:
    (left,) = model("foo {\nbar {\n1\n}\n}\n").leftovers
    assert left.text == "foo {\nbar {\n1\n}\n}"


def test_instance_that_is_not_closed_takes_the_next_one_in() -> None:
    text = "vrrp_instance A {\npriority 1\nvrrp_instance B {\npriority 2\n}\nvrrp_script s {\n}\n"
    assert [(one.name, one.priority) for one in model(text).instances] == [("A", 2)]
    assert [one.name for one in model(text).scripts] == ["s"]


def test_services_behind_an_instance_that_is_not_closed_are_skipped_with_it() -> None:
    text = "vrrp_instance A {\npriority 1\nvirtual_server 192.0.2.1 80 {\ndelay_loop 3\n}\n"
    assert model(text).services == ()


def test_process_of_services_skips_what_an_instance_reads_wrongly() -> None:
    text = "vrrp_instance A {\nfoo {\n}\nbar {\nvirtual_server 192.0.2.1 80 {\n}\n}\n}\n"
    text += "virtual_server 192.0.2.3 80 {\n}\n"
    (service,) = model(text).services
    assert str(service.address) == "192.0.2.3"


def test_value_block_without_an_opening_brace_reads_on_to_the_next_closing_one() -> None:
    text = "vrrp_instance A {\ntrack_interface eth1\nauthentication {\n}\npriority 4\n}\n"
    (found,) = model(text).instances
    assert [one.name for one in found.tracks] == ["authentication", "{"]
    assert found.priority == 4
    assert "DR206" in codes(text)
    assert model(rendered(model(text))) == model(text)


def test_second_instance_of_a_name_is_skipped_by_counting_braces() -> None:
    text = "vrrp_instance A {\nfoo {\n}\nvrrp_instance A {\nfoo {\n}\npriority 4\n}\n"
    text += "vrrp_instance B {\npriority 5\n}\n"
    assert [(one.name, one.priority) for one in model(text).instances] == [("A", None), ("B", 5)]


def test_brace_behind_a_keyword_without_a_block_is_passed_over() -> None:
    text = "vrrp_instance A {\npriority 5 {\ninterface eth0\n}\nnopreempt\n}\n"
    (found,) = model(text).instances
    assert (found.priority, found.interface) == (5, "eth0")
    assert [one.text for one in reading(text).unread] == ["nopreempt"]


def test_sound_text_keeps_its_tree() -> None:
    document = parse_bytes("x", WHOLE.encode(), "keepalived")
    assert nested(document, OLD) == Nesting(document.children)


MORE = ("foo {\nbar 1\n}\n", "}\n", "{\n", "virtual_server 192.0.2.9 1 {\n}\n")


def broken() -> list[str]:
    """`WHOLE` with one brace less, or with a block more somewhere."""
    texts = [WHOLE[: at.start()] + WHOLE[at.end() :] for at in re.finditer(r"[{}]", WHOLE)]
    lines = WHOLE.splitlines(keepends=True)
    for number in range(len(lines) + 1):
        start, end = "".join(lines[:number]), "".join(lines[number:])
        texts.extend(f"{start}{more}{end}" for more in MORE)
    return texts


@pytest.mark.parametrize("text", broken())
def test_nothing_of_a_broken_text_is_lost_and_what_it_means_is_rendered(text: str) -> None:
    found = reading(text)
    assert lost(found) == []
    assert model(rendered(found.configuration)) == found.configuration
    assert parse_bytes("x", text.encode(), "keepalived").to_text() == text


def test_blocks_are_those_of_the_tables() -> None:
    dialect = load_dialect("keepalived")
    versions = [(1, 2, 7), (1, 2, 21), (1, 3, 5), (2, 0, 0), (2, 0, 20), (2, 2, 7), (2, 4, 3)]
    for path, block in dialect.blocks.items():
        if path.startswith("common/") or path == "directive":
            continue
        ours = BLOCKS.get(path.rpartition("/")[2], {})
        for name, keyword in block.keywords.items():
            opened = None if keyword.opens is None else dialect.blocks[keyword.opens]
            assert (name in ours) == (opened is not None), (path, name)
            if opened is None:
                continue
            assert ours[name].is_value == (opened.entry is not None), (path, name)
            since = block.since_of(keyword)
            first = () if since is None else version_of(since)
            assert ours[name].since == first, (path, name)
            for version in versions:
                assert block.knows(keyword, version) == (version >= first), (path, name)
        assert set(ours) <= set(block.keywords), path
        if not path:
            for process, names in READERS.items():
                for name in names:
                    assert process in dialect.blocks[name].read_by


def test_leftovers_of_a_broken_text_have_places() -> None:
    for text in broken()[:40]:
        assert all(one.place is not None for one in leftovers(model(text)))
