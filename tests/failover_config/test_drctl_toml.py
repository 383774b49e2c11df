"""drctl.toml: what is accepted, and what is said of the rest."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from corpus import PROJECT

from drctl.daemon.config import ArbiterConfig, DaemonConfig, LinkConfig, parse_config, read_config
from drctl.daemon.problem import ConfigRefused
from drctl.daemon.setting import SETTINGS
from drctl.errors import FileRefused

GOOD = """\
node = "lb1"
config = "/etc/keepalived/keepalived.conf"

[keys]
secret = "/etc/drctl/lb1.secret"

[[peer]]
node = "lb2"
public = "/etc/drctl/lb2.public"

[[peer.link]]
local = "198.51.100.1"
peer = "198.51.100.2"
port = 7000

[[peer.link]]
local = "2001:DB8::1"
peer = "2001:db8::2"
"""


def _refused(text: str) -> list[str]:
    with pytest.raises(ConfigRefused) as refused:
        parse_config("drctl.toml", text)
    return str(refused.value).splitlines()


def _parsed(extra: str = "") -> DaemonConfig:
    return parse_config("drctl.toml", GOOD + extra)


def test_a_small_file_has_the_documented_defaults() -> None:
    config = _parsed()
    assert (config.node, config.control) == ("lb1", "/run/drctl/control.sock")
    assert (config.heartbeat_ms, config.fence_ms, config.lease_ms) == (100, 500, 2000)
    assert config.peers[0].links == (
        LinkConfig("198.51.100.1", "198.51.100.2", 7000),
        LinkConfig("2001:db8::1", "2001:db8::2", None),
    )


def test_all_settings_are_taken() -> None:
    config = _parsed(
        '[timing]\nheartbeat = "20ms"\nfence = "0.2s"\nlease = "3s"\noverlap = "0ms"\n'
        'handover = "1m"\nconfirm_probes = 8\nconfirm = "15ms"\n[fence]\nkind = "nft"\n'
        '[arbiter]\nkind = "gateway"\naddresses = ["192.0.2.1"]\nfall = 2\n'
        '[metrics]\nlisten = "127.0.0.1:9650"\n'
    )
    assert (config.heartbeat_ms, config.fence_ms, config.lease_ms) == (20, 200, 3000)
    assert (config.overlap_ms, config.handover_ms, config.confirm_probes) == (0, 60_000, 8)
    assert config.confirm_ms == 15
    assert config.fence_kind == "nft"
    assert config.arbiter == ArbiterConfig("gateway", ("192.0.2.1",), fall=2)
    assert config.arbiter.hold_ms(config.heartbeat_ms) == 300
    assert config.metrics_listen == "127.0.0.1:9650"


def test_a_slow_heartbeat_has_a_longer_fence_and_lease() -> None:
    config = _parsed('[timing]\nheartbeat = "1s"\n')
    assert (config.fence_ms, config.lease_ms) == (3000, 3000)


@pytest.mark.parametrize(
    (
        "old",
        "new",
        "expected",
    ),
    [
        (
            'node = "lb1"',
            'nod = "lb1"',
            "1: unknown setting nod (did you mean node?)",
        ),
        (
            "secret =",
            "secrets =",
            "5: unknown setting keys.secrets (did you mean secret?)",
        ),
        (
            "port = 7000",
            "prot = 7000",
            "14: unknown setting peer[0].link[0].prot (did you mean port?)",
        ),
        (
            "port = 7000",
            "port = 70000",
            "14: peer[0].link[0].port: 70000 is no whole number from 1 to 65535",
        ),
        (
            "198.51.100.2",
            "198.51.100.1",
            "13: 198.51.100.1 is the own address of this link",
        ),
        (
            "2001:db8::2",
            "192.0.2.9",
            "18: 2001:db8::1 and 192.0.2.9 are not of one family",
        ),
        (
            "198.51.100.2",
            "lb2.example.net",
            "13: peer[0].link[0].peer: lb2.example.net is no IP address",
        ),
        (
            "[keys]",
            "[key]",
            "4: unknown setting key (did you mean keys?)",
        ),
        (
            'node = "lb2"',
            'node = "lb1"',
            "8: lb1 is this node itself",
        ),
        (
            '"/etc/keepalived',
            '"etc/keepalived',
            "2: config: etc/keepalived/keepalived.conf is no absolute path",
        ),
        (
            "[[peer]]",
            "[[peer]]\n= 1",
            "8: invalid statement",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_way_out(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert f"drctl.toml:{expected}" in _refused(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("heartbeat = 100", 'timing.heartbeat: 100 has no unit: write "100ms" or "100s"'),
        ('heartbeat = "fast"', 'timing.heartbeat: fast is no duration: write "100ms" or "2s"'),
        ('heartbeat = "5ms"', "timing.heartbeat: 5ms is not within 10ms to 10000ms"),
        ('fence = "200ms"', "timing.fence: 200ms is less than 3 heartbeats (300ms)"),
        ('lease = "2500ms"', "timing.lease: 2500ms is no lease: whole seconds, 2s to 60s"),
        ('fence = "5s"\nlease = "2s"', "timing.lease: shorter than the fence (5000ms)"),
        ('overlap = "0.0001s"', "timing.overlap: 0.0001s is no duration"),
    ],
)
def test_a_duration_that_cannot_be_is_refused(line: str, expected: str) -> None:
    assert any(expected in one for one in _refused(f"{GOOD}[timing]\n{line}\n"))


def test_several_mistakes_are_told_at_once_in_order() -> None:
    text = GOOD.replace("port = 7000", "port = 0").replace('node = "lb1"', 'nod = "lb1"')
    lines = _refused(text + "[timing]\nheartbeat = 1\n")
    starts = ["drctl.toml: ", "drctl.toml:1: ", "drctl.toml:14: ", "drctl.toml:20: "]
    assert len(lines) == len(starts)
    assert all(map(str.startswith, lines, starts)), lines


def test_an_empty_file_is_told_all_that_is_missing() -> None:
    text = "\n".join(_refused(""))
    for word in (
        "node is missing",
        "config is missing",
        "[keys] is missing",
        "[[peer]] is missing",
    ):
        assert word in text


@pytest.mark.parametrize(
    "text", ["peer = 1", "peer = [1]", "keys = 1", "timing = []", "\0", "a = " + "[" * 5000]
)
def test_a_file_of_another_shape_is_refused_without_a_traceback(text: str) -> None:
    assert _refused(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: object) -> None:
    with pytest.raises(FileRefused, match="cannot read"):
        read_config(f"{tmp_path}/drctl.toml")


def test_the_documentation_lists_exactly_the_settings() -> None:
    text = (PROJECT / "docs" / "failover-settings.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.\[\]]+)` \| (.*?) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [
        (
            one.path,
            "required" if one.is_required else f"`{one.default}`" if one.default else "–",
            one.unit,
            one.effect,
        )
        for one in SETTINGS
    ]


def test_the_documented_defaults_are_those_of_the_code() -> None:
    config = _parsed()
    by_field = {
        "timing.heartbeat": config.heartbeat_ms,
        "timing.confirm": config.confirm_ms,
        "timing.confirm_probes": config.confirm_probes,
        "timing.fence": config.fence_ms,
        "timing.lease": config.lease_ms,
        "timing.overlap": config.overlap_ms,
        "timing.handover": config.handover_ms,
        "fence.kind": config.fence_kind,
        "arbiter.kind": config.arbiter.kind,
        "arbiter.interval": config.arbiter.interval_or(config.heartbeat_ms),
        "arbiter.timeout": config.arbiter.timeout_ms,
        "arbiter.fall": config.arbiter.fall,
        "arbiter.rise": config.arbiter.rise,
        "arbiter.prefix": config.arbiter.prefix,
        "arbiter.ttl": config.arbiter.ttl_ms,
        "control": config.control,
        "state_dir": config.state_dir,
    }
    for one in SETTINGS:
        if one.path in by_field:
            value = int(one.default) if one.default.isdecimal() else one.default
            assert one.parse(value) == by_field[one.path], one.path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('kind = "etcd"', "arbiter.endpoints is missing for etcd"),
        ('kind = "gateway"\nttl = "9s"', "arbiter.ttl is for etcd, not for gateway"),
        ('addresses = ["192.0.2.1"]', "arbiter.addresses is for gateway, not for none"),
        ('timeout = "1s"', "arbiter.timeout is for gateway and etcd, not for none"),
        ('kind = "gateway"\ninterval = "50ms"', "shorter than a heartbeat (100ms)"),
        ('kind = "gateway"\naddresses = ["nowhere"]', "nowhere is no IP address"),
        ('kind = "etcd"\nendpoints = ["192.0.2.5:2379"]', "192.0.2.5:2379 is no URL"),
        (
            'kind = "etcd"\nendpoints = ["http://192.0.2.5:2379"]\ncert = "/c"',
            "arbiter.cert and arbiter.key go together",
        ),
        (
            'kind = "etcd"\nendpoints = ["http://192.0.2.5:2379"]\nttl = "2.5s"',
            "whole seconds, 2s to 300s",
        ),
        (
            (
                'kind = "etcd"\nendpoints = ["http://192.0.2.5:2379"]\nttl = "2s"\n'
                '[timing]\nfence = "1s"'
            ),
            "less than 3 times the fence (3000ms)",
        ),
    ],
)
def test_an_arbiter_that_cannot_work_is_refused(text: str, reason: str) -> None:
    (line,) = _refused(f"{GOOD}[arbiter]\n{text}\n")
    assert reason in line


def test_an_etcd_arbiter_has_time_for_its_members() -> None:
    config = _parsed('[arbiter]\nkind = "etcd"\nendpoints = ["http://192.0.2.5:2379"]\n')
    assert (config.arbiter.timeout_ms, config.arbiter.ttl_ms) == (1000, 5000)


def test_a_reference_point_is_asked_with_every_heartbeat_at_most() -> None:
    config = _parsed('[timing]\nheartbeat = "1s"\n[arbiter]\nkind = "gateway"\n')
    assert config.arbiter.interval_or(config.heartbeat_ms) == 1000
    assert config.arbiter.hold_ms(config.heartbeat_ms) == 3100


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "drctl.toml")
    with pytest.raises(FileRefused, match="it is no regular file"):
        read_config(str(tmp_path / "drctl.toml"))


def test_no_peers_are_as_bad_as_none_at_all() -> None:
    text = "peer = []\n" + GOOD[: GOOD.index("[[peer]]")]
    assert any("[[peer]] is missing" in line for line in _refused(text))
