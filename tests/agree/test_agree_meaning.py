"""What keepalived's own dumps say against drctl show: one boot of a guest, a few configurations."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agreement.meaning_run import compare, refusal
from agreement.meaning_world import Asked, answers
from corpus import PROJECT, corpus_dir

from tools import need, need_root

OWN = PROJECT / "tests" / "agree" / "meaning"
CASES = sorted(OWN.glob("*.conf"))
FROM_CORPUS = 3
Answers = dict[str, tuple[Asked, dict[str, Any]]]


def asked_of(file: Path) -> Asked:
    return Asked(file.name, file.read_bytes().decode("latin-1"))


def some_of_the_corpus() -> list[Path]:
    """A few files with services; others are compared by `make agree-meaning`."""
    folder = corpus_dir()
    if folder is None:
        return []
    files = sorted((folder / "keepalived").glob("*.conf"))
    with_services = [f for f in files if b"\nvirtual_server" in f.read_bytes()]
    return with_services[:: max(1, len(with_services) // FROM_CORPUS)][:FROM_CORPUS]


@pytest.fixture(scope="module")
def answered() -> Answers:
    """Every configuration with the guest's answer, by name. Nothing is kept for the next run."""
    need_root()
    need("linux.uml", "user-mode-linux")
    need("keepalived", "keepalived")
    need("modprobe", "kmod")
    files = [asked_of(file) for file in (*CASES, *some_of_the_corpus())]
    return {asked.name: (asked, answer) for asked, answer in answers(files, None)}


def differing(asked: Asked, answer: dict[str, Any]) -> list[str]:
    """What differs, as lines."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = compare(asked, answer, Path(folder))
    assert outcome.refused == ""
    assert outcome.fields > 0
    return [str(one) for one in outcome.found]


@pytest.mark.lab
@pytest.mark.parametrize("name", [file.name for file in CASES])
def test_own_configuration_means_the_same_to_both(answered: Answers, name: str) -> None:
    assert differing(*answered[name]) == []


@pytest.mark.lab
def test_files_of_the_corpus_mean_the_same_to_both(answered: Answers) -> None:
    files = some_of_the_corpus()
    if not files:
        pytest.skip("no corpus")
    wrong = {}
    for file in files:
        asked, answer = answered[file.name]
        if not refusal(answer) and (found := differing(asked, answer)):
            wrong[file.name] = found
    assert wrong == {}


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("vrrp.conf", "priority 150", "priority 151", "instance A: priority: drctl 151"),
        ("vrrp.conf", "192.0.2.12/24 brd -", "192.0.2.12/25 brd -", "instance A: vips"),
        ("vrrp.conf", "label eth1:1", "label eth1:2", "instance A: vips"),
        ("vrrp.conf", "192.0.2.3 min_ttl 200", "192.0.2.3 min_ttl 201", "C: unicast_peers"),
        ("vrrp.conf", "secret", "sicret", ""),
        ("vrrp.conf", "long #", "lang #", "instance A: password"),
        ("vrrp.conf", "plain weight -7", "plain weight -6", "instance C: tracks"),
        ("vrrp.conf", "rise 2", "rise 3", "script plain: rise"),
        ("services.conf", "lb_algo wrr", "lb_algo rr", "192.0.2.20 port 80 tcp: scheduler"),
        ("services.conf", "quorum 3", "quorum 4", "192.0.2.20 port 80 tcp: quorum"),
        ("services.conf", "weight 65535", "weight 65534", "192.0.2.23 port 80: weight"),
        ("services.conf", "192.0.2.14-192.0.2.16", "192.0.2.14-192.0.2.17", "group web: entries"),
        ("services.conf", "real_server 2001:db8::21", "real_server 2001:db8::2f", "only drctl"),
        ("checks.conf", "connect_port 8080", "connect_port 8081", "check 1: to"),
        ("checks.conf", "302 400", "302 401", "check 1: urls"),
        ("checks.conf", "misc_timeout 11", "misc_timeout 12", "check 8: timeout s"),
        ("checks.conf", "payload 01 02 03", "payload 01 02", "payload bytes"),
        ("checks.conf", "'a b'", "'a c'", "check 8: command"),
        ("routing.conf", "metric 5", "metric 6", "static > route 1: metric: drctl '6'"),
        ("routing.conf", "unreachable 198", "prohibit 198", "A > route 7: kind: drctl 'prohibit'"),
        ("routing.conf", "eth0 weight 3", "eth0 weight 4", "instance A > route 4: hops"),
        ("routing.conf", "mtu lock 1400", "mtu 1400", "instance A > route 2: mtu: drctl '1400'"),
        ("routing.conf", "0x10/0xff", "0x10/0xfe", "static > rule 2: fwmark"),
        ("routing.conf", "prohibit priority", "blackhole priority", "A > rule 2: type"),
        ("routing.conf", "goto 990", "goto 991", "instance A > rule 3: goto: drctl '991'"),
        ("tracking.conf", "weight -3 reverse", "weight -3", "instance A: tracks"),
        ("tracking.conf", "quorum_max 7", "quorum_max 8", "track process proxy: quorum max"),
        ("tracking.conf", "idle_tx 2000", "idle_tx 2001", "bfd session uplink: idle us"),
        ("tracking.conf", "    vrrp\n", "", "bfd session uplink: checks: drctl True"),
        ("tracking.conf", "0.25\n    gna", "0.26\n    gna", "garp device eth0: garp us"),
        ("tracking.conf", "uplink weight 4", "uplink weight 3", "instance A: tracks"),
        ("tracking.conf", "_repeat 7", "_repeat 6", "instance A: lower repeat"),
        ("tracking.conf", "no_accept", "accept", "instance A: accepts: drctl True"),
        ("tracking.conf", "weight 5 reverse", "weight 5", "192.0.2.32 port 80: file weights"),
        ("language.conf", "~SEQ(i,1,3)", "~SEQ(i,1,2)", "192.0.2.43 port 80: only keepalived"),
        ("language.conf", "@oracle priority 88", "@oracle priority 89", "oracle1: priority"),
    ],
)
def test_changed_value_is_told_with_its_block_and_field(
    answered: Answers, name: str, old: str, new: str, expected: str
) -> None:
    asked, answer = answered[name]
    assert asked.text.count(old) >= 1
    found = differing(replace(asked, text=asked.text.replace(old, new, 1)), answer)
    # what is behind the eighth byte of a password means nothing
    assert bool(found) == bool(expected)
    assert all(expected in line for line in found[:1])
