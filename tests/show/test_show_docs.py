"""docs/show.md: the keys that it names are those of the JSON, and what it says the model leaves out
is left out, and nothing else."""

from __future__ import annotations

import re

import pytest
from corpus import PROJECT
from schema.keepalived_oracle_cases import written
from table_examples import examples, keywords

from drctl.model import configuration, pair, routing, setting, tracking, vrrp
from drctl.model.origin import leftovers
from drctl.quickclass import fields
from drctl.readers.keepalived import read
from drctl.syntax.parser import parse
from drctl.text.source import SourceFile

PAGE = (PROJECT / "docs" / "show.md").read_text(encoding="utf-8")
WORD = re.compile(r"`([A-Za-z][\w-]*)`")
KINDS = {
    "settings": pair.Settings,
    "namespace": setting.Namespace,
    "pulse": pair.Pulse,
    "directors": pair.Director,
    "sync_groups": vrrp.SyncGroup,
    "scripts": vrrp.TrackScript,
    "track_files": tracking.TrackFile,
    "track_processes": tracking.TrackProcess,
    "bfd_sessions": tracking.BfdSession,
    "garp_groups": tracking.GarpGroup,
    "interface_delays": tracking.InterfaceDelay,
    "polled_links": tracking.PolledLink,
    "track_groups": routing.TrackGroup,
    "static_addresses": pair.Address,
    "tls": setting.TlsClient,
    "routes": routing.Route,
    "rules": routing.Rule,
    "packet_filter": setting.PacketFilter,
}
"""Objects whose keys are all told; of others some are."""
HIDDEN = {"origins", "leftovers"}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))


def names_of(kind: type) -> list[str]:
    return [one.name for one in fields(kind) if one.name not in HIDDEN]


ROWS = rows(section("JSON, schema 2"))


def test_every_key_of_the_model_is_told() -> None:
    inside = {"routes", "rules", "vrrp", "packet_filter"}
    assert set(ROWS) - inside == set(names_of(configuration.Configuration))


@pytest.mark.parametrize(("key", "kind"), KINDS.items(), ids=KINDS)
def test_keys_of_an_object_are_told(key: str, kind: type) -> None:
    told = WORD.findall(re.sub(r"\([^)]*\)", "", ROWS[key]))
    assert told == names_of(kind)


def is_left_out(texts: list[str]) -> bool:
    """Whether every one of the examples is a leftover without a field."""
    return all("not modelled" in reasons(text) for text in texts)


def reasons(text: str) -> set[str]:
    model = read(parse(SourceFile("x", text), "keepalived")).configuration
    return {left.reason for left in leftovers(model)}


def test_model_leaves_out_what_the_page_says_and_nothing_else() -> None:
    told = WORD.findall(section("What the model leaves out").partition("|---|---|")[2])
    assert len(told) == len(set(told))
    left = {
        keyword.name
        for path, keyword in keywords()
        if is_left_out([written([one])[0] for one in examples(path, keyword)])
    }
    assert left == set(told)
