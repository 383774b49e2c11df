"""What can happen to a lab, as a table: what is done, and what is to be seen of it.

Nothing here heals: the lab is made whole by what `drctl lab up` does to one that is damaged.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from drctl.errors import DrctlError, UsageError
from drctl.lab.pair.host import Host
from drctl.lab.plan import DIRECTOR, REAL_SERVER, Port
from drctl.lab.setup import process
from drctl.lab.setup.build import Builder, server_part
from drctl.lab.setup.daemon import Daemon
from drctl.lab.setup.design import Design
from drctl.model.service import MASQUERADE
from drctl.render.real_server_plan import REDIRECTING
from drctl.verify.value import Verdict

PATIENCE_S = 10.0
"""So long a director may say that it cannot switch at the moment."""


@dataclass(frozen=True)
class Scene:
    """Who it happens to: `vip` is asked for, `holder` has it, `other` is the other director,
    `server` a real server that serves it, None when there is none."""

    builder: Builder
    vip: str
    holder: Daemon
    other: Daemon
    server: Host | None

    @property
    def design(self) -> Design:
        """Of the lab."""
        return self.builder.design

    @property
    def bystander(self) -> Host:
        """The host that is no part of the setup."""
        return self.builder.hosts[self.design.bystander.name]

    @property
    def segment(self) -> str:
        """Where the VIP is."""
        return next(vip.segment for vip in self.design.vips if vip.address == self.vip)

    def card(self, host: str) -> Port:
        """The host's card on the VIP's segment, or its first one."""
        ports = self.design.host(host).ports
        return next((port for port in ports if port.segment == self.segment), ports[0])

    def the_server(self) -> Host:
        """The real server, where there has to be one."""
        assert self.server is not None
        return self.server

    @property
    def full_vip(self) -> str:
        """The VIP with the length of a single address."""
        return f"{self.vip}/{128 if ':' in self.vip else 32}"


@dataclass(frozen=True)
class Scenario:
    """One event. `about` and `text` may name `{holder}`, `{other}`, `{server}`, `{bystander}` and
    `{vip}`. Then the VIP's verdict is `verdict`, with `cause` in its cause; or, with `passage`, a
    real server's is a black hole with that cause. `moves`: the VIP is at the other director."""

    name: str
    about: str
    text: str
    play: Callable[[Scene], None]
    verdict: Verdict = Verdict.OK
    cause: str = ""
    has_black_hole: bool = False
    moves: bool = False
    needs_server: bool = False
    methods: tuple[str, ...] = ()
    families: tuple[int, ...] = (4, 6)
    needs_second_link: bool = False


def _switch(scene: Scene) -> None:
    limit_s = time.monotonic() + PATIENCE_S
    while not (answer := scene.holder.request("switch")).get("ok"):
        # on a busy machine a heartbeat may be late just now
        if time.monotonic() >= limit_s:
            raise DrctlError(f"{scene.holder.name} does not switch: {answer}")
        time.sleep(0.2)


def _kill(scene: Scene) -> None:
    scene.holder.signal(signal.SIGKILL)


def _kill_all(scene: Scene) -> None:
    _end(scene, scene.holder)


def _end(scene: Scene, daemon: Daemon) -> None:
    """All of its processes at once, so that none can clean up behind another."""
    while pids := process.of_part(scene.design.name, daemon.part):
        process.send(pids, signal.SIGKILL)


def _hang(scene: Scene) -> None:
    scene.holder.signal(signal.SIGSTOP)


def _silence(scene: Scene, host: str) -> None:
    """Nothing passes at the switch's ports of the host; the carrier stays."""
    for card in scene.design.host(host).ports:
        port = scene.design.port(host, card.name)
        scene.builder.switch.run("bridge", "link", "set", "dev", port, "state", "0")


def _cut(scene: Scene) -> None:
    _silence(scene, scene.holder.name)


def _unplug(scene: Scene) -> None:
    card = scene.card(scene.holder.name).name
    scene.builder.switch.ip("link", "set", scene.design.port(scene.holder.name, card), "down")


def _cut_heartbeat(scene: Scene) -> None:
    name = scene.holder.name
    for card in scene.design.host(name).ports:
        if card.segment != scene.segment:
            port = scene.design.port(name, card.name)
            scene.builder.switch.run("bridge", "link", "set", "dev", port, "state", "0")


def _flush_fence(scene: Scene) -> None:
    scene.holder.host.run("nft", "flush", "ruleset")


def _both(scene: Scene) -> None:
    # while a drctl runs on one of them it gives way
    for daemon in (scene.other, scene.holder):
        _end(scene, daemon)
    for daemon in (scene.other, scene.holder):
        daemon.host.run("nft", "flush", "ruleset")
        _put(scene, daemon.host)


def _put(scene: Scene, host: Host) -> None:
    card = scene.card(host.name).name
    nodad = ("nodad",) * (":" in scene.vip)
    host.ip("address", "replace", scene.full_vip, "dev", card, *nodad)


def _nobody(scene: Scene) -> None:
    for daemon in (scene.other, scene.holder):
        _end(scene, daemon)


def _stranger(scene: Scene) -> None:
    _put(scene, scene.bystander)


def _on_the_card(scene: Scene) -> None:
    _put(scene, scene.the_server())


def _no_rules(scene: Scene) -> None:
    _no_answer_rule(scene)
    _no_source_rule(scene)


def _no_answer_rule(scene: Scene) -> None:
    _drop_rules(scene, "arp_ignore", "INPUT", "input")


def _no_source_rule(scene: Scene) -> None:
    _drop_rules(scene, "arp_announce", "OUTPUT", "output")


def _drop_rules(scene: Scene, setting: str, arptables_chain: str, nft_chain: str) -> None:
    host, method = scene.the_server(), scene.design.source.method
    if method == "sysctl":
        host.run("sysctl", "-qw", f"net.ipv4.conf.all.{setting}=0")
    elif method == "nftables":
        host.run("nft", "flush", "chain", "arp", "drctl_arp", nft_chain)
    else:
        host.run("arptables", "-F", arptables_chain)


def _vip_lost(scene: Scene) -> None:
    host, method = scene.the_server(), scene.design.source.method
    if method == "iptables":
        host.run("iptables", "-t", "nat", "-F")
    elif method in REDIRECTING:
        host.run("nft", "flush", "ruleset")
    else:
        host.ip("address", "delete", scene.full_vip, "dev", "lo")


def _service_dead(scene: Scene) -> None:
    name = scene.the_server().name
    while pids := process.of_part(scene.design.name, server_part(name)):
        process.send(pids, signal.SIGKILL)


def _server_cut(scene: Scene) -> None:
    _silence(scene, scene.the_server().name)


_SILENCING = ("sysctl", "arptables", "nftables")

SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(
            "no-rules",
            "a real server loses everything that keeps it silent about its VIPs",
            "{server} is not silent about {vip} any more",
            _no_rules,
            Verdict.LEAK,
            "no ARP rule is in force",
            needs_server=True,
            methods=_SILENCING,
            families=(4,),
        ),
        Scenario(
            "leak-answers",
            "the rule against answering for a VIP is missing on a real server",
            "{server} answers ARP for {vip}",
            _no_answer_rule,
            Verdict.LEAK,
            "does not name the VIP as its source",
            needs_server=True,
            # with rules an answer leaves with the server's own address, and harms nobody
            methods=("sysctl",),
            families=(4,),
        ),
        Scenario(
            "leak-asks",
            "the rule against asking as the VIP is missing on a real server; it answers nobody",
            "{server} asks as {vip}",
            _no_source_rule,
            Verdict.LEAK,
            "names the VIP as its source",
            needs_server=True,
            methods=_SILENCING,
            families=(4,),
        ),
        Scenario(
            "leak-card",
            "a real server has the VIP on its card, not on lo",
            "{server} gets {vip} on its card",
            _on_the_card,
            Verdict.LEAK,
            "answers",
            needs_server=True,
        ),
        Scenario(
            "stranger",
            "a machine that is no part of the setup has the VIP",
            "{bystander} gets {vip}",
            _stranger,
            Verdict.UNKNOWN_HOST,
            "is no host of the configuration",
        ),
        Scenario(
            "two-directors",
            "both directors have the VIP, put there by hand; none has a drctl that would give way",
            "drctl of {other} and of {holder} is killed, and both get {vip} by hand",
            _both,
            Verdict.TWO_DIRECTORS,
            "both hold it",
        ),
        Scenario(
            "nobody",
            "both directors' daemons are killed",
            "drctl of {other} and of {holder} is killed",
            _nobody,
            Verdict.UNANSWERED,
            "nobody answers",
        ),
        Scenario(
            "switch",
            "a planned switchover",
            "drctl switch on {holder}",
            _switch,
            moves=True,
        ),
        Scenario(
            "kill",
            "the active director's controller is killed; its guard takes the VIPs down",
            "kill -9: the controller of {holder}",
            _kill,
            moves=True,
        ),
        Scenario(
            "kill-all",
            "the active director's controller and its guard are killed; the kernel's fence closes",
            "kill -9: the controller of {holder}, and its guard",
            _kill_all,
            moves=True,
        ),
        Scenario(
            "hang",
            "the active director's controller hangs; the kernel's fence closes",
            "the controller of {holder} hangs (SIGSTOP)",
            _hang,
            moves=True,
        ),
        Scenario(
            "cut",
            "nothing passes the active director's cables, whose carriers stay",
            "the cables of {holder} are cut, the carriers stay",
            _cut,
            moves=True,
        ),
        Scenario(
            "unplug",
            "the active director's card loses its carrier",
            "the cable of {holder} is pulled",
            _unplug,
            moves=True,
        ),
        Scenario(
            "heartbeat",
            "only the network of the VIPs is left to the heartbeat; nothing moves",
            "the other cables of {holder} are cut",
            _cut_heartbeat,
            needs_second_link=True,
        ),
        Scenario(
            "flush",
            "somebody flushes nftables on the active director; its fence is put back",
            "nft flush ruleset on {holder}",
            _flush_fence,
        ),
        Scenario(
            "vip-lost",
            "a real server loses its VIP, and swallows what the director sends it",
            "{server} loses {vip}",
            _vip_lost,
            cause="packets for the VIP are lost",
            has_black_hole=True,
            needs_server=True,
            families=(4,),
        ),
        Scenario(
            "service-dead",
            "a real server's service ends",
            "the service of {server} is killed",
            _service_dead,
            cause="nothing listens",
            has_black_hole=True,
            needs_server=True,
            methods=_SILENCING,
        ),
        Scenario(
            "server-cut",
            "nothing passes a real server's cable",
            "the cable of {server} is cut",
            _server_cut,
            cause="does not answer ARP",
            has_black_hole=True,
            needs_server=True,
        ),
    )
}


def scenario_named(name: str) -> Scenario:
    """Raises UsageError for a name that is none."""
    found = SCENARIOS.get(name)
    if found is None:
        raise UsageError(f"there is no scenario {name}; there are {', '.join(SCENARIOS)}")
    return found


def vip_for(design: Design, scenario: Scenario) -> tuple[str, str]:
    """A VIP that the scenario can be played with, and the real server that it happens to, "" when
    it needs none. Raises UsageError when there is none."""
    if scenario.methods and design.source.method not in scenario.methods:
        raise UsageError(
            f"{scenario.name} has no meaning with real servers by {design.source.method}; "
            f"it has with {', '.join(scenario.methods)}"
        )
    if scenario.needs_second_link and len(design.directors[0].ports) < 2:
        raise UsageError(f"{scenario.name} needs directors with a second network")
    vips = [one.address for one in design.vips if 6 in scenario.families or ":" not in one.address]
    for vip in vips:
        if not scenario.needs_server:
            return vip, ""
        for host in design.setup:
            serves = any(one.vip == vip and one.method != MASQUERADE for one in host.bindings)
            roles = next((one.roles for one in design.hosts if one.name == host.name), ())
            if serves and REAL_SERVER in roles and DIRECTOR not in roles:
                return vip, host.name
    what = "real server that directors send packets for a VIP" if vips else "VIP of IPv4"
    raise UsageError(f"{scenario.name} needs a {what}; the lab has none")


def is_seen(scenario: Scenario, verdict: Verdict, cause: str, holes: tuple[str, ...]) -> bool:
    """Whether what is seen is what the scenario has to show: the VIP's verdict and cause, and the
    causes of the real server's black holes."""
    if verdict is not scenario.verdict:
        return False
    if scenario.has_black_hole:
        return any(scenario.cause in hole for hole in holes)
    return scenario.cause in cause
