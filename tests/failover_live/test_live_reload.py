"""`drctl reload` while a client asks every millisecond: what stays the same is never missed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from live_case import FULL, SLACK_MS

from drctl.adapters.key_files import write_keys
from drctl.lab.pair.client import Client, Seen
from drctl.lab.pair.director import DRCTL, Director
from drctl.lab.pair.stage import Plan, Stage, now_ms, stage

VIP, OTHER, THIRD = "192.0.2.100", "192.0.2.101", "192.0.2.102"
PATIENCE_S = 20.0


@dataclass
class Pair:
    """A pair of which one holds VIP, asked for by the client, and the files of both."""

    stage: Stage
    active: Director
    standby: Director

    def edit(self, director: Director, old: str, new: str, name: str = "keepalived.conf") -> None:
        """Replace a text that occurs in one of its files."""
        file = director.folder / name
        text = file.read_text(encoding="utf-8")
        assert old in text, text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def ask(self, director: Director, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*DRCTL, words[0], "-c", director.settings, *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def reload(self, director: Director, *lines: str) -> None:
        """It is done, and is told to have been about these lines."""
        done = self.ask(director, "reload", "--json")
        answer = json.loads(done.stdout)
        assert answer["ok"], (answer, self.stage.logs())
        assert sorted(answer["lines"]) == sorted(lines), answer

    def has(self, director: Director, vip: str) -> bool:
        return f"{vip}/" in director.host.ip("-4", "address", "show", "eth0")

    def group(self, director: Director, name: str = "web") -> dict[str, Any]:
        groups = director.status().get("groups", [])
        return next((group for group in groups if group["name"] == name), {})

    def seen_since(self, at_ms: float, for_s: float = 0.3) -> Seen:
        time.sleep(for_s)
        return self.stage.client.seen(at_ms)

    def is_undisturbed(self, at_ms: float) -> None:
        """The client was answered all the time, by one director and the same."""
        seen = self.seen_since(at_ms)
        print(seen)
        assert (seen.unanswered, seen.twice) == (0, 0), self.stage.logs()
        assert seen.holders == (self.active.name,), self.stage.logs()


@contextmanager
def _pair(plan: Plan) -> Iterator[Pair]:
    with stage(plan) as live:
        active = live.holder()
        yield Pair(live, active, live.other(active))


def _wait(is_so: Callable[[], bool], pair: Pair) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, pair.stage.logs()
        time.sleep(0.02)


def _with_groups(director: Director, **groups: tuple[str, ...]) -> None:
    """Rewrite its instances: these VIPs by the names of groups."""
    file = director.folder / "keepalived.conf"
    text = file.read_text(encoding="utf-8")
    found = re.search(r"vrrp_instance.*?\n}\n", text, re.DOTALL)
    assert found is not None
    made = ""
    for number, (name, vips) in enumerate(groups.items()):
        lines = "".join(f"        {vip}/24\n" for vip in vips)
        one = re.sub(
            r"(virtual_ipaddress \{\n).*?(    \})", rf"\g<1>{lines}\2", found[0], flags=re.DOTALL
        )
        one = re.sub(r"vrrp_instance \w+", f"vrrp_instance {name}", one)
        made += re.sub(r"virtual_router_id \d+", f"virtual_router_id {51 + number}", one)
    text = re.sub(r"vrrp_instance.*?\n}\n", "", text, flags=re.DOTALL)
    file.write_text(made + text, encoding="utf-8")


def test_vips_come_and_go_and_mistakes_change_nothing_the_others_are_not_touched() -> None:
    with _pair(Plan(vips=(OTHER, VIP))) as pair:
        active, standby = pair.active, pair.standby
        at_ms = now_ms()
        pair.reload(active)
        pair.edit(active, "priority 150", "prioriti 150")
        refused = pair.ask(active, "reload")
        assert refused.returncode == 1
        assert f"{active.folder}/keepalived.conf:5: prioriti 150" in refused.stderr, refused
        assert "nothing was changed" in refused.stderr
        pair.edit(active, "prioriti 150", "priority 150")
        pair.edit(active, f"{OTHER}/24\n", f"{OTHER}/24\n        {THIRD}/24\n")
        pair.edit(active, "[timing]", '[fence]\nkind = "address"\n[timing]', "drctl.toml")
        refused = pair.ask(active, "reload")
        assert refused.returncode == 1
        assert "fence.kind needs a restart: it is auto, and now address" in refused.stderr, refused
        assert not pair.has(active, THIRD)
        pair.edit(active, '[fence]\nkind = "address"\n', "", "drctl.toml")
        checked = pair.ask(active, "reload", "--check")
        assert (checked.returncode, "102 added" in checked.stdout) == (0, True), checked
        assert not pair.has(active, THIRD)
        pair.reload(active, f"group web: {THIRD} added")
        _wait(lambda: pair.has(active, THIRD), pair)
        pair.edit(active, f"        {OTHER}/24\n", "")
        pair.reload(active, f"group web: {OTHER} taken out")
        _wait(lambda: not pair.has(active, OTHER), pair)
        assert pair.has(active, VIP)
        assert pair.has(active, THIRD)
        # the fence has what is there, and nothing of what was
        rules = active.host.run("nft", "list", "ruleset")
        assert (OTHER in rules, THIRD in rules, rules.count("chain unless_")) == (False, True, 2)
        pair.is_undisturbed(at_ms)
        assert pair.group(active)["vips"] == [THIRD, VIP]
        history = pair.ask(active, "history", "--kind", "reload").stdout
        assert "prioriti 150" in history
        assert f"{THIRD} added" in history
        # the other one, by a signal as systemd sends it
        file = active.folder / "keepalived.conf"
        text = file.read_text(encoding="utf-8").replace("priority 150", "priority 100")
        (standby.folder / "keepalived.conf").write_text(text, encoding="utf-8")
        standby.signal(signal.SIGHUP)
        _wait(lambda: pair.group(standby).get("vips") == [THIRD, VIP], pair)
        statuses = [director.status() for director in (active, standby)]
        assert len({status["config_digest"] for status in statuses}) == 1, statuses
        pair.is_undisturbed(at_ms)
        # what came is as safe as what was there before
        active.signal(signal.SIGKILL)
        _wait(lambda: pair.has(standby, THIRD) and not pair.has(active, THIRD), pair)


def test_priority_changed_better_director_takes_it_without_loss() -> None:
    with _pair(Plan(vips=(VIP,))) as pair:
        at_ms = now_ms()
        pair.edit(pair.active, "priority 150", "priority 90")
        pair.reload(pair.active, "group web: priority 150 -> 90")
        pair.is_undisturbed(at_ms)
        stream = Client(pair.stage.client_host, VIP, {}, is_echo=True)
        try:
            time.sleep(0.2)
            at_ms = now_ms()
            pair.edit(pair.standby, "    nopreempt\n", "")
            pair.reload(pair.standby, "group web: preemption False -> True")
            pair.stage.holder(lambda name: name == pair.standby.name)
            seen = pair.seen_since(at_ms)
            lost, doubled = stream.losses(at_ms)
        finally:
            stream.close()
        print(seen, lost, doubled)
        assert (lost, doubled, seen.twice) == (0, 0, 0), pair.stage.logs()


@pytest.mark.parametrize("has_fence", [True, pytest.param(False, marks=FULL)])
def test_vips_change_their_groups_nobody_notices(has_fence: bool) -> None:
    with _pair(Plan(vips=(OTHER, VIP), has_fence=has_fence)) as pair:
        at_ms = now_ms()
        # a group with another name is a new one, and an old one that is gone
        _with_groups(pair.active, shop=(VIP,), web=(OTHER,))
        pair.reload(pair.active, "group shop is new, with 1 VIPs", f"{VIP} moves from web to shop",
                    f"group web: {VIP} taken out")  # fmt: skip
        _wait(lambda: pair.group(pair.active, "shop").get("role") == "active", pair)
        _with_groups(pair.active, shop=(OTHER,), web=(VIP, THIRD))
        done = pair.ask(pair.active, "reload")
        assert done.returncode == 0, done
        _wait(lambda: pair.has(pair.active, THIRD), pair)
        pair.is_undisturbed(at_ms)
        _with_groups(pair.standby, shop=(OTHER,), web=(VIP, THIRD))
        assert pair.ask(pair.standby, "reload").returncode == 0
        _wait(lambda: pair.group(pair.standby, "shop").get("role") == "standby", pair)
        _with_groups(pair.standby, web=(VIP, THIRD))
        assert pair.ask(pair.standby, "reload").returncode == 0
        _with_groups(pair.active, web=(VIP, THIRD))
        assert pair.ask(pair.active, "reload").returncode == 0
        _wait(lambda: not pair.has(pair.active, OTHER), pair)
        pair.is_undisturbed(at_ms)
        assert not pair.has(pair.standby, OTHER)


@FULL
def test_what_others_answer_for_is_not_added_until_they_do_not() -> None:
    with _pair(Plan(vips=(VIP,))) as pair:
        at_ms = now_ms()
        pair.standby.host.ip("address", "add", f"{OTHER}/24", "dev", "eth0")
        pair.edit(pair.active, f"{VIP}/24\n", f"{VIP}/24\n        {OTHER}/24\n")
        pair.reload(pair.active, f"group web: {OTHER} added")
        time.sleep(2.5)
        rules = pair.active.host.run("nft", "list", "ruleset")
        assert pair.group(pair.active)["vips"] == [VIP], rules
        assert "cannot be added to web" in pair.active.log()
        pair.standby.host.ip("address", "delete", f"{OTHER}/24", "dev", "eth0")
        _wait(lambda: pair.group(pair.active)["vips"] == [VIP, OTHER], pair)
        assert pair.has(pair.active, OTHER)
        pair.is_undisturbed(at_ms)


def test_timing_and_links_and_keys_changed_one_director_after_the_other() -> None:
    with _pair(Plan(vips=(VIP,), links="a")) as pair:
        live, at_ms = pair.stage, now_ms()
        both = (pair.active, pair.standby)
        for old, new in (("100ms", "50ms"), ("50ms", "200ms")):
            for each in both:
                pair.edit(each, f'heartbeat = "{old}"', f'heartbeat = "{new}"', "drctl.toml")
                done = pair.ask(each, "reload")
                assert (done.returncode, "heartbeat_ms" in done.stdout) == (0, True), done
            pair.is_undisturbed(at_ms)
        # while intervals differed nobody was taken for silent
        assert "to=suspect" not in pair.standby.log(), live.logs()
        _add_second_link(pair)
        _wait(lambda: all(_links_up(each) == 2 for each in both), pair)
        _change_key(pair)
        # a key that is taken back ends all connections, of one link after the other
        _wait(lambda: all(_links_up(each) == 2 for each in both), pair)
        pair.is_undisturbed(at_ms)


def _links_up(director: Director) -> int:
    peers = director.status().get("peers", [])
    return sum(link["up"] for peer in peers for link in peer["links"])


def _add_second_link(pair: Pair) -> None:
    networks = {
        director.host: f"198.51.100.{number}/24"
        for number, director in enumerate(pair.stage.directors.values(), 1)
    }
    pair.stage.segment.second(networks)
    for number, director in enumerate(pair.stage.directors.values(), 1):
        with (director.folder / "drctl.toml").open("a", encoding="utf-8") as file:
            file.write(
                f'[[peer.link]]\nlocal = "198.51.100.{number}"\npeer = "198.51.100.{3 - number}"\n'
            )
        done = pair.ask(director, "reload")
        assert done.returncode == 0, done
        assert "198.51.100" in done.stdout


def _change_key(pair: Pair) -> None:
    """As docs/failover-settings.md says it, with the daemons running."""
    active, other = pair.active, pair.standby
    keys = active.folder.parent / "keys"
    (made,) = write_keys([active.name], str(active.folder / "new"), is_forced=False)
    public = keys / f"{active.name}.public"
    old = public.read_text(encoding="ascii")
    added = [line for line in Path(made.public).read_text("ascii").splitlines() if "public" in line]
    public.write_text(f"{old}{added[-1]}\n", encoding="ascii")
    pair.reload(other, f"keys that are accepted from {active.name}: 2, 1 of them new")
    secret = keys / f"{active.name}.secret"
    secret.write_bytes(Path(made.secret).read_bytes())
    at_ms = now_ms()
    pair.reload(active, "this node has another key")
    _wait(lambda: _links_up(other) == 2 and now_ms() - at_ms > 3000, pair)
    public.write_bytes(Path(made.public).read_bytes())
    pair.reload(other, f"keys that are accepted from {active.name}: 1, 0 of them new")


@pytest.mark.parametrize("fault", ["silence", pytest.param("kill", marks=FULL)])
def test_reload_during_a_failover_waits_for_its_end_and_nothing_answers_twice(fault: str) -> None:
    with _pair(Plan(vips=(OTHER, VIP))) as pair:
        pair.edit(pair.standby, f"{OTHER}/24\n", f"{OTHER}/24\n        {THIRD}/24\n")
        command = [*DRCTL, "reload", "-c", pair.standby.settings, "--json"]
        at_ms = now_ms()
        asked = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        # the reading of the files and the takeover go on at the same time
        _wait(lambda: "name=reload" in pair.standby.log(), pair)
        if fault == "kill":
            pair.active.signal(signal.SIGKILL)
        else:
            pair.stage.silence(pair.active.name)
            pair.stage.silence(f"{pair.active.name}-b")
        answer, _ = asked.communicate(timeout=60)
        assert json.loads(answer)["ok"], (answer, pair.stage.logs())
        pair.stage.holder(lambda name: name == pair.standby.name)
        _wait(lambda: pair.has(pair.standby, THIRD), pair)
        if fault == "silence":
            pair.stage.heal(pair.active.name)
            pair.stage.heal(f"{pair.active.name}-b")
        seen = pair.seen_since(at_ms, 1)
        print(seen)
        assert (seen.twice, seen.holders[-1]) == (0, pair.standby.name), pair.stage.logs()
        assert seen.outage_ms < 1000 + SLACK_MS, pair.stage.logs()
