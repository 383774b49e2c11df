"""Words inside arguments: each is one that keepalived takes, and is explained at its places."""

from __future__ import annotations

import pytest

from drctl.cli.main import main
from drctl.schema.composite import judge_words
from drctl.schema.load import load_dialect
from drctl.schema.option import homes_of, options_of, table_names
from drctl.schema.table import Argument

DIALECT = load_dialect("keepalived")
VALUES = {
    "vip": ("192.0.2.10/24 ", "2001:db8::10/64 "),
    "route": (
        *("198.51.100.0/24 dev eth0 ", "2001:db8:1::/64 dev eth0 ", ""),
        "198.51.100.0/24 nexthop via 192.0.2.1 ",
    ),
    "rule": (
        *("table 100 priority 100 ", "from 192.0.2.0/24 ", "priority 9 "),
        "iif eth0 table 100 priority 100 ",
    ),
    "peer": ("192.0.2.3 ",),
    "service_range": ("", "192.0.2.10 "),
    "service": ("",),
    "tracked_device": ("eth0 weight 5 ", "eth0 "),
    "tracked_script": ("eth0 weight 5 ", "eth0 "),
    "forwarding": ("", "TUN ", "TUN type gue port 99 "),
    "sync_daemon": ("eth0 VI_1 ", "eth0 "),
    "lvs_timeouts": ("",),
    "ipvlan": ("ipv.1 192.0.2.4 ",),
}
"""What may stand before a word of each type."""
ENDINGS = (
    *(
        "",
        " eth1",
        " 5",
        " 20",
        " 10-20",
        " 192.0.2.1",
        " 2001:db8::1",
        " forever",
        " ipip",
        " global",
    ),
    *(" static", " low", " ip dst 192.0.2.1", " 198.51.100.0/24", " tcp", " default", " group1"),
    *(" VI_1", " dev eth1", " via 192.0.2.1 dev eth1", " lo", " port 5", " 224.0.0.81"),
)


def is_taken(kind: str, word: str) -> bool:
    """Whether some line with the word is taken as it stands."""
    starts = VALUES.get(kind, VALUES.get(kind.removeprefix("static_"), ("",)))
    argument = Argument(kind, kind, repeated=True)
    for start in starts:
        for ending in ENDINGS:
            words = f"{start}{word}{ending}".split()
            if not any(not one.is_advice for one in judge_words((argument,), tuple(words))):
                return True
    return False


def rows() -> list[tuple[str, str]]:
    kinds = ["tracked_device" if name == "tracked" else name for name in sorted(table_names())]
    return [(kind, word) for kind in kinds for word in options_of(kind)]


def test_types_with_words_are_types_of_keepalived() -> None:
    assert table_names() - {"tracked"} <= DIALECT.types.keys()


@pytest.mark.parametrize(("kind", "word"), rows())
def test_word_is_taken_by_the_type(kind: str, word: str) -> None:
    assert is_taken(kind, word)


def test_invented_word_is_taken_by_no_type() -> None:
    for kind in ("vip", "route", "rule", "peer", "forwarding"):
        assert not is_taken(kind, "nonsense"), kind


def test_texts_are_sentences() -> None:
    for kind, word in rows():
        text = options_of(kind)[word]
        assert text.endswith("."), (kind, word)
        assert len(text.split()) >= 3, (kind, word)


def test_word_is_found_in_each_of_its_places() -> None:
    places = {path for path, _, _ in homes_of(DIALECT, "label")}
    assert places == {
        "static_ipaddress",
        "vrrp_instance/virtual_ipaddress",
        "vrrp_instance/virtual_ipaddress_excluded",
    }
    assert homes_of(DIALECT, "nonsense") == []


def test_word_is_explained_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "label"]) == 0
    assert capsys.readouterr().out.startswith("label (keepalived, a word on the lines of")


def test_word_that_is_a_keyword_too_is_explained_as_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "use_vmac"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("use_vmac (keepalived, in vrrp_instance)")
    assert "use_vmac (keepalived, a word on the lines of" in page
