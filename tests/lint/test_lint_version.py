"""Which release knows what: keywords that came, went, or came to another block later."""

from __future__ import annotations

import pytest
from lint_case import diagnostics, instance, service

from drctl.schema.load import load_dialect
from drctl.schema.table import version_of

RELEASES = ("1.3.5", "2.0.20", "2.2.7", "2.2.8", "2.3.1", "2.3.4", "2.4", "2.4.4")
FIRST = {
    "global_defs {\nvrrp_strict\n}\n": "1.2.20",
    "global_defs {\nlvs_notify_fifo /run/f\n}\n": "1.3.6",
    "vrrp_track_file f {\nfile /etc/hosts\n}\n": "2.0.0",
    "track_file f {\nfile /etc/hosts\n}\n": "2.1.0",
    instance("down_timer_adverts 4"): "2.2.3",
    "global_defs {\njson_version 2\n}\n": "2.2.8",
    "global_defs {\nuse_symlink_paths\n}\n": "2.3.0",
    "global_defs {\niproute_etc_dir /etc/iproute2\n}\n": "2.3.2",
    instance("owner_ignore_adverts"): "2.3.3",
    "global_defs {\nvrrp_delay_after_boot 5\n}\n": "2.4.0",
    "global_defs {\nset_supplementary_groups\n}\n": "2.4.4",
    service(real="TCP_CHECK {\nwarmup 1\n}"): "1.2.13",
    service(real="DNS_CHECK {\nwarmup 1\n}"): "1.3.7",
    service(real="SMTP_CHECK {\nretry 1\n}"): "1.2.0",
    service(real="UDP_CHECK {\nbind_port 4000\n}"): "2.1.0",
}
REMOVED = {
    "global_defs {\nlvs_id lb1\n}\n": "use router_id",
    "global_defs {\nplugin_dir /etc/keepalived/plugins\n}\n": "remove the line",
    service("nat_mask 255.255.255.0"): "remove the line",
}


def of_version(text: str, version: str) -> list[str]:
    return [one.code for one in diagnostics(text, version) if one.code in ("DR203", "DR204")]


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("text", FIRST)
def test_keyword_is_known_from_its_first_release_on(text: str, version: str) -> None:
    is_known = version_of(version) >= version_of(FIRST[text])
    assert bool(of_version(text, version)) != is_known


@pytest.mark.parametrize("text", REMOVED)
def test_removed_keyword_is_told_with_what_to_do(text: str) -> None:
    for version in RELEASES:
        (found,) = [one for one in diagnostics(text, version) if one.code == "DR204"]
        assert found.hint == REMOVED[text]
        assert "is gone since 1." in found.message
    assert of_version(text, "1.1.0") == []


def test_block_that_the_target_does_not_know_tells_what_its_brace_closes() -> None:
    text = instance("auth_hmac {\nactive_key 1\n}\nnopreempt")
    told = {one.place.line: one.code for one in diagnostics(text, "2.2.7")}
    assert told[10] == "DR203"
    assert told[13] == "DR205", "the '}' closes vrrp_instance"
    assert of_version(text, "2.4") == []


def test_series_stands_for_its_first_release() -> None:
    assert version_of("2.4") == version_of("2.4.0") < version_of("2.4.1")
    text = instance("owner_ignore_adverts")
    assert of_version(text, "2.3") == ["DR203"]


def test_keyword_has_a_version_of_its_own_in_a_block() -> None:
    blocks = load_dialect("keepalived").blocks
    ping = blocks["virtual_server/real_server/PING_CHECK"]
    tcp = blocks["virtual_server/real_server/TCP_CHECK"]
    assert ping.keywords["bind_port"] is tcp.keywords["bind_port"]
    assert ping.since_of(ping.keywords["bind_port"]) == "2.1.0"
    assert tcp.since_of(tcp.keywords["bind_port"]) == "1.2.13"
    assert not ping.knows(ping.keywords["bind_port"], (2, 0, 20))
    assert tcp.knows(tcp.keywords["bind_port"], (2, 0, 20))


def test_hint_never_names_what_the_target_does_not_know() -> None:
    (found,) = diagnostics("global_defs {\nlvs_ids x\n}\n")
    assert found.code == "DR201"
    assert "lvs_id" not in found.hint


SYNTAX = {
    "@lb1 global_defs {\n}\n": "1.3.0",
    "@^lb1 global_defs {\n}\n": "1.3.7",
    "  $NAME=a\n": "1.4.0",
    "global_defs {\nrouter_id a }\n": "1.4.2",
    "global_defs {router_id a\n}\n": "1.4.2",
    "global_defs{\nrouter_id a\n}\n": "1.4.2",
    "global_defs { }\n": "1.4.2",
    "global_defs {\nrouter_id $_PWD\n}\n": "1.4.3",
    "global_defs {\nrouter_id ${_INSTANCE}\n}\n": "2.0.1",
    "global_defs {\n~SEQ(i, 2) router_id $i\n}\n": "2.0.9",
    "global_defs {\nrouter_id ${_RANDOM 1 9}\n}\n": "2.0.15",
    "global_defs {\n~SEQx(i, 2) router_id $i\n}\n": "2.1.0",
    "global_defs {\n@lb1 ~SEQ(i, 2) ~LST (j, a) router_id $j\n}\n": "2.1.0",
    'global_defs {\nrouter_id "${_HASH}"\n}\n': "2.1.4",
    "includew *.none\n": "2.2.0",
    "global_defs {\nincludea *.none\n}\n": "2.2.0",
    "global_defs {\nrouter_id ${_ENV NODE}\n}\n": "2.4.0",
}
"""Each is the newest thing in its text."""
OLD_SYNTAX = (
    "include *.none\n",
    'global_defs { # $NAME=a ~SEQ(i, 2) }\nrouter_id "{ @lb1 }"\n}\n',
    "global_defs\n{\nrouter_id $X\n}\n",
    "global_defs {\nrouter_id a@b\n}\n",
)


@pytest.mark.parametrize("version", ["1.2.24", *RELEASES])
@pytest.mark.parametrize("text", SYNTAX)
def test_syntax_is_known_from_its_first_release_on(text: str, version: str) -> None:
    told = [one.message for one in diagnostics(text, version) if one.code == "DR223"]
    is_known = version_of(version) >= version_of(SYNTAX[text])
    assert any(f"from {SYNTAX[text]} on" in message for message in told) != is_known
    assert not (is_known and told)


@pytest.mark.parametrize("text", OLD_SYNTAX)
def test_old_syntax_is_known_to_all(text: str) -> None:
    assert [one for one in diagnostics(text, "1.2.24") if one.code == "DR223"] == []


def test_unknown_name_is_one_finding_at_its_use() -> None:
    found = diagnostics("global_defs {\nrouter_id ${_ENV NODE}\n}\n")
    assert [(one.code, one.place.line) for one in found] == [("DR223", 2), ("DR208", 3)]
    assert found[0].place.column == 11


def test_odd_quote_behind_a_command_is_a_finding_before_2_3_2() -> None:
    text = 'vrrp_script x {\nscript "/t \\"x y"\n}\n'
    assert "DR101" in [one.code for one in diagnostics(text, "2.3.1")]
    assert "DR101" not in [one.code for one in diagnostics(text, "2.3.2")]
