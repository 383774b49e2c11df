"""One trial: hosts from nothing, the generated installers, keepalived, requests, a link's death."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import Any

from drctl.lab.guest import client, director
from drctl.lab.guest.director import Counted, Keepalived
from drctl.lab.guest.events import emit
from drctl.lab.guest.hosts import SWITCH, Site
from drctl.lab.guest.listener import Listeners
from drctl.lab.guest.shell import GuestError, in_host, ip_batch, run, wait_until
from drctl.lab.guest.wire import REPLY, Ear
from drctl.lab.plan import CLIENT, DIRECTOR, NONE, Flow, LabHost, Plan, Trial

_ARP_ROUNDS = 4
_ARP_WAIT_S = 0.25
_ANSWER_LIMIT_S = 2.0
_REQUEST_LIMIT_S = 2.0
_RETRY_LIMIT_S = 0.5
_ROUNDS = 4
_SETTLE_S = 60.0


class TrialRun:
    """Builds, measures, and takes away; measurements leave as events."""

    def __init__(self, plan: Plan, trial: Trial) -> None:
        self.plan = plan
        self.trial = trial
        self.site = Site(plan, trial.backend)
        self.client = plan.with_role(CLIENT)[0].name
        self.directors = plan.with_role(DIRECTOR)
        self._last_request_s = 0.0

    def run(self, *, is_last: bool) -> None:
        """The whole trial. After the last one the guest goes, and its hosts with it."""
        with contextlib.ExitStack() as stack:
            if not is_last:
                stack.callback(self.site.close)
            self._say("building hosts")
            self.site.build()
            self._install()
            listeners = Listeners()
            stack.callback(listeners.close)
            for host in self.plan.hosts:
                for listener in host.listeners:
                    listeners.open(host.name, listener)
            ears = self._listen(stack)
            daemons = self._start_keepalived(stack)
            active = self._settle(daemons)
            self._measure(daemons[active], ears)
            if self.plan.has_pair and self.trial.method != NONE:
                survivor = self._kill_link(active, daemons, ears)
                if survivor is not None:
                    self._measure(daemons[survivor], ears, dead=active)

    def _say(self, text: str) -> None:
        emit("progress", method=self.trial.method, text=text)

    def _install(self) -> None:
        self._tell_variants()
        for host in self.plan.hosts:
            if host.folder is None:
                continue
            if self.trial.method == NONE and DIRECTOR not in host.roles:
                self._say(f"{host.name}: VIPs without ARP rules")
                self._give_vips_unprotected(host)
                continue
            self._say(f"{host.name}: ./install.sh")
            script = f"{self.trial.output}/{host.folder}/install.sh"
            said = run(*in_host(host.name, self.site.root(host.name), ("sh", script)))
            self._log(host.name, "install.sh", said)

    def _tell_variants(self) -> None:
        """Which variants of arptables and iptables the hosts have, into the log."""
        host = next(host for host in self.plan.hosts if host.folder is not None)
        script = "for tool in arptables iptables; do command -v $tool && $tool --version; done; :"
        said = run(*in_host(host.name, self.site.root(host.name), ("sh", "-c", script)))
        self._log(host.name, "variants", said)

    def _log(self, host: str, name: str, text: str) -> None:
        emit("log", method=self.trial.method, host=host, name=name, text=text)

    def _give_vips_unprotected(self, host: LabHost) -> None:
        """What a recipe without the ARP part does."""
        device = "lo"
        if self.plan.forwarding == "tunnelling":
            device = "tunl0"
            run(*in_host(host.name, self.site.root(host.name), ("modprobe", "ipip")))
            ip_batch(("link set tunl0 up",), host.name)
        ip_batch((f"addr add {vip.address}/32 dev {device}" for vip in self.plan.vips), host.name)

    def _listen(self, stack: contextlib.ExitStack) -> dict[str, Ear]:
        host = self.plan.host(self.client)
        vips = frozenset(vip.address for vip in self.plan.asked_vips)
        ears = {}
        for port in host.ports:
            ear = Ear(host, port, vips)
            stack.callback(ear.close)
            ears[port.segment] = ear
        return ears

    def _start_keepalived(self, stack: contextlib.ExitStack) -> dict[str, Keepalived]:
        daemons: dict[str, Keepalived] = {}
        stack.callback(self._stop, daemons)
        for host in self.directors:
            self._say(f"{host.name}: keepalived")
            daemons[host.name] = Keepalived(host.name, self.site.root(host.name))
        return daemons

    def _stop(self, daemons: dict[str, Keepalived]) -> None:
        for daemon in daemons.values():
            daemon.end()
        for daemon in daemons.values():
            daemon.wait()
            self._log(daemon.name, "keepalived", daemon.log())

    def _settle(self, daemons: dict[str, Keepalived]) -> str:
        """Wait until one director holds the VIPs, and goes on doing so where another one may take
        them from it, and every service has its real servers."""
        self._say("waiting for a director to become active, and for the checks to succeed")
        found: list[str] = []
        stable_s = self.plan.stable_ms / 1000 * self.plan.patience
        since: dict[str, float] = {}

        def is_settled() -> bool:
            found[:] = []
            for daemon in daemons.values():
                daemon.check()
                if director.holds_vips(daemon.name, self.plan):
                    found.append(daemon.name)
            if len(found) != 1 or not all(self._has_servers(n, self.plan.flows) for n in daemons):
                since.clear()
                return False
            now_s = time.monotonic()
            if found[0] not in since:
                since.clear()
            return now_s - since.setdefault(found[0], now_s) >= stable_s

        if not wait_until(is_settled, self._settle_limit_s, 0.2 * self.plan.patience):
            tables = "\n".join(f"{name}:\n{director.table(name)}" for name in daemons)
            raise GuestError(
                f"after {self._settle_limit_s:.0f} s the pair has not settled: VIPs on "
                f"{', '.join(found) or 'no director'}, or a service lacks real servers\n{tables}"
            )
        self._say(f"{found[0]} is active")
        return found[0]

    @property
    def _settle_limit_s(self) -> float:
        return (_SETTLE_S + self.plan.takeover_limit_ms / 1000) * self.plan.patience

    def _has_servers(self, name: str, flows: tuple[Flow, ...]) -> bool:
        """Whether every service of a director has all its real servers, and no other."""
        have = director.servers_in_table(name)
        return all(
            have.get(flow.service, 0) == sum(count for _, count in flow.destinations)
            for flow in flows
        )

    def _measure(self, daemon: Keepalived, ears: dict[str, Ear], dead: str | None = None) -> None:
        """Ask for the VIPs, then send the requests; `dead` is the director without a link."""
        active = daemon.name
        alive = tuple(f if dead is None else f.without(dead) for f in self.plan.flows)
        self._say(f"measuring with {active} active")
        since_s = time.monotonic()
        arp = [self._ask(vip.address, ears[vip.segment]) for vip in self.plan.asked_vips]
        flows, counters = self._measure_flows(daemon, alive, ears)
        emit(
            "measurement",
            method=self.trial.method,
            phase="before" if dead is None else "after",
            active=active,
            arp=arp,
            flows=flows,
            counters=counters,
            announced=self._announced(ears, since_s),
            table=director.table(active),
        )

    def _measure_flows(
        self, daemon: Keepalived, flows: tuple[Flow, ...], ears: dict[str, Ear]
    ) -> tuple[list[dict[str, Any]], dict[str, tuple[int, int, int]]]:
        """Send the requests; results of every flow, and counters by service.

        When a check takes a real server of a service out or puts one in meanwhile (they do on a
        machine that is too busy to answer in time), the numbers say nothing about the scheduler:
        requests of that service are sent again, until the time is over.
        """
        name = daemon.name
        results: dict[tuple[str, str, int], dict[str, Any]] = {}
        counters: dict[str, tuple[int, int, int]] = {}
        end_s = time.monotonic() + self._settle_limit_s
        pending = flows
        while pending:
            self._wait_for_servers(name, pending)
            changes = daemon.server_changes()
            before = self._quiet_counters(name)
            for flow in pending:
                results[flow.service, flow.vip, flow.port] = self._request(flow, ears)
            found = director.difference(before, self._counters_after(name, pending, before))
            counters |= {f.service: found[f.service] for f in pending if f.service in found}
            changed = set(daemon.server_changes() - changes)
            if time.monotonic() > end_s or self.trial.method == NONE:
                break  # without rules the spread is not judged
            pending = tuple(f for f in pending if changed & {f.service, ""})
            for service in dict.fromkeys(flow.service for flow in pending):
                self._say(f"a check changed the real servers of {service} meanwhile: once more")
        return list(results.values()), counters

    def _wait_for_servers(self, name: str, flows: tuple[Flow, ...]) -> None:
        if not wait_until(lambda: self._has_servers(name, flows), self._settle_limit_s):
            table = director.table(name)
            raise GuestError(f"{name} has other real servers than it should:\n{table}")

    def _quiet_counters(self, active: str) -> dict[str, Counted]:
        """IPVS counters when everything sent so far is in them."""
        quiet_s = time.monotonic() - self._last_request_s
        time.sleep(max(0.0, director.ESTIMATION_S - quiet_s))
        return director.counted(active)

    def _counters_after(
        self, active: str, flows: tuple[Flow, ...], before: dict[str, Counted]
    ) -> dict[str, Counted]:
        """The counters as soon as all requests are in them; when some never come (they by-passed
        the director), those that are there when everything must have been counted."""
        sent: Counter[str] = Counter()
        for flow in flows:
            sent[flow.service] += flow.requests
        nothing = Counted(0, 0, 0)

        def are_complete() -> bool:
            now = director.counted(active)
            return all(
                now.get(service, nothing).connections - before.get(service, nothing).connections
                >= number
                for service, number in sent.items()
            )

        step_s = 0.2 * self.plan.patience
        wait_until(are_complete, director.ESTIMATION_S * self.plan.patience, step_s)
        return director.counted(active)

    def _ask(self, vip: str, ear: Ear) -> dict[str, Any]:
        """Ask who has the VIP, several times; the client's kernel forgets between the rounds. A
        first answer may take its time on a slow machine; then others have as long as is usual.
        What comes later still is among the announcements."""
        rounds = []
        for _ in range(_ARP_ROUNDS):
            client.forget(self.client)
            rounds.append(self._ask_once(vip, ear))
        return {"vip": vip, "rounds": rounds}

    def _ask_once(self, vip: str, ear: Ear) -> list[str]:
        since_s = ear.ask(vip)

        def answers() -> set[str]:
            return {h.mac for h in ear.heard(vip, since_s) if h.operation == REPLY}

        wait_until(lambda: bool(answers()), _ANSWER_LIMIT_S * self.plan.patience, 0.02)
        time.sleep(_ARP_WAIT_S * self.plan.patience)
        return sorted(answers())

    def _announced(self, ears: dict[str, Ear], since_s: float) -> dict[str, list[str]]:
        """Who sent an ARP packet in a VIP's name at all: an answer, a question, an announcement."""
        return {
            vip.address: sorted(
                {h.mac for ear in ears.values() for h in ear.heard(vip.address, since_s)}
            )
            for vip in self.plan.asked_vips
        }

    def _request(self, flow: Flow, ears: dict[str, Ear]) -> dict[str, Any]:
        """The flow's requests in rounds; before each the client's kernel forgets the VIP's MAC.
        All connections stay open until the last one, for schedulers that count them."""
        for ear in ears.values():
            ear.take_replies(flow.vip)
        served: Counter[str] = Counter()
        failures: list[str] = []
        macs: list[str | None] = []
        held = []
        for number in range(flow.requests):
            is_first = number % max(1, flow.requests // _ROUNDS) == 0
            if is_first:
                client.forget(self.client)
            request = client.Request(self.client, flow, _REQUEST_LIMIT_S * self.plan.patience)
            self._last_request_s = time.monotonic()
            held.append(request)
            if is_first:
                macs.append(client.learned(self.client, flow.vip))
            if request.served_by is not None:
                served[request.served_by] += 1
            elif request.failure is not None:
                failures.append(request.failure)
        for request in held:
            request.close()
        replies: Counter[str] = Counter()
        for ear in ears.values():
            replies.update(ear.take_replies(flow.vip))
        return {
            "service": flow.service,
            "vip": flow.vip,
            "port": flow.port,
            "sent": flow.requests,
            "served": dict(served),
            "failures": failures,
            "learned": [mac for mac in macs if mac is not None],
            "reply_macs": dict(replies),
        }

    def _kill_link(
        self, active: str, daemons: dict[str, Keepalived], ears: dict[str, Ear]
    ) -> str | None:
        """Take the active director's links away at the switch; returns who serves then."""
        segments = dict.fromkeys(vip.segment for vip in self.plan.asked_vips)
        host = self.plan.host(active)
        dead = [port for port in host.ports if port.segment in segments]
        self._say(f"taking the link of {active} down")
        killed_s = time.monotonic()
        ip_batch((f"link set {self.site.switch_port(active, p.name)} down" for p in dead), SWITCH)
        others = [name for name in daemons if name != active]
        limit_s = self.plan.takeover_limit_ms / 1000 * self.plan.patience
        flow = self.plan.flows[0]
        survivor: str | None = None
        served_by: str | None = None
        while time.monotonic() - killed_s < limit_s:
            request = client.Request(self.client, flow, _RETRY_LIMIT_S * self.plan.patience)
            request.close()
            self._last_request_s = time.monotonic()
            served_by = request.served_by
            survivor = next((n for n in others if director.holds_vips(n, self.plan)), None)
            if served_by is not None and survivor is not None:
                break
            if request.failure is not None:
                time.sleep(0.05)
        took_ms = round((time.monotonic() - killed_s) * 1000)
        is_over = served_by is not None and survivor is not None
        announced = {
            vip.address: sorted({h.mac for h in ears[vip.segment].heard(vip.address, killed_s)})
            for vip in self.plan.asked_vips
        }
        emit(
            "failover",
            method=self.trial.method,
            killed=active,
            survivor=survivor if is_over else None,
            took_ms=took_ms,
            learned=client.learned(self.client, flow.vip),
            announced=announced,
        )
        return survivor if is_over else None


def run_trial(plan: Plan, trial: Trial) -> None:
    """Run one trial and say when it is done."""
    emit("trial", method=trial.method)
    TrialRun(plan, trial).run(is_last=trial is plan.trials[-1])
    emit("trial_done", method=trial.method)
