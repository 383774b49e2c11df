"""A real server's files: what keeps it silent about the VIPs, the VIPs, and what brings both back
at boot in that order. On a director that is also a real server: what it does on standby.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from drctl.render.host import Host
from drctl.render.made_once import made_file
from drctl.render.net import BootPlan, boot_files
from drctl.render.options import RenderOptions
from drctl.render.real_server_plan import Plan, Redirect, plan_of
from drctl.render.rendered import Loss, RenderedFile, Rendering, Stage, Step

TABLE = "drctl_redirect"
STANDBY_TABLE = "drctl_standby"
CHAIN = "DRCTL"
STANDBY_CHAIN = "DRCTL_STANDBY"

_SAVE_SYSCTL = """\
mkdir -p /var/lib/drctl
if [ ! -e /var/lib/drctl/sysctl-before ]; then
    sysctl {keys} >/var/lib/drctl/sysctl-before.new 2>/dev/null || :
    mv /var/lib/drctl/sysctl-before.new /var/lib/drctl/sysctl-before
fi
"""
_RESTORE_SYSCTL = """\
if [ -e /var/lib/drctl/sysctl-before ]; then
    sysctl -q -p /var/lib/drctl/sysctl-before
    rm -f /var/lib/drctl/sysctl-before
fi
"""


def render_real_server(host: Host, options: RenderOptions) -> Rendering:
    """Everything for `host` but the installers; only what serves behind the directors, also when
    the host is one. Losses are the host's own too."""
    made = render_plan(host.name, plan_of(host, options), options)
    losses = tuple(dict.fromkeys((*host.losses, *made.losses)))
    return replace(made, losses=losses, addresses=host.addresses)


def render_plan(name: str, plan: Plan, options: RenderOptions) -> Rendering:
    """Everything of a plan but the installers, with its losses."""
    options, losses = _fitting(plan, options)
    files, steps = _files_and_steps(plan, options)
    return Rendering(
        host=name,
        files=files,
        losses=tuple(dict.fromkeys((*plan.losses, *losses))),
        steps=steps,
        role="director and real server" if plan.is_standby else "real server",
    )


def _fitting(plan: Plan, options: RenderOptions) -> tuple[RenderOptions, tuple[Loss, ...]]:
    """arptables_jf belongs to systems that have network-scripts and nothing else."""
    if plan.method != "arptables_jf" or options.net == "ifcfg":
        return options, ()
    why = (
        f"arptables_jf is of Red Hat Enterprise Linux 4-6, which has no {options.net}: "
        "ifcfg files and the service arptables_jf are written"
    )
    fitting = RenderOptions(options.source, options.arp, "ifcfg", options.marks)
    return fitting, (Loss("net", why),)


@lru_cache(maxsize=512)
def _files_and_steps(
    plan: Plan, options: RenderOptions
) -> tuple[tuple[RenderedFile, ...], tuple[Step, ...]]:
    """Thousands of servers of one service differ in nothing but their address, mostly not even
    in that; equal files are made once."""
    parts = [
        _before_addresses(plan, options.source),
        _addresses(plan, options.source),
        _ways_back(plan, options.source),
        boot_files(BootPlan(plan, options)),
    ]
    files = [file for part, _ in parts for file in part]
    steps = [step for _, part in parts for step in part]
    return tuple(sorted(files, key=lambda f: f.path)), tuple(sorted(steps, key=lambda s: s.stage))


_Part = tuple[list[RenderedFile], list[Step]]


def _before_addresses(plan: Plan, source: str) -> _Part:
    """Rules, kernel settings and modules, and the program that makes them hold."""
    if not plan.has_rules:
        return [], []
    files = _rule_files(plan, source)
    rules = tuple(file.path for file in files)
    filtered = tuple(t.device for t in plan.tunnels if t.device == "tunl0")
    keeps_silent = plan.method == "sysctl" and bool(plan.silent)
    has_sysctl = keeps_silent or bool(filtered)
    if has_sysctl:
        files.append(
            made_file(
                "sysctl",
                source=source,
                keeps_silent=keeps_silent,
                vips6=plan.has_vips6,
                filtered=filtered,
            )
        )
    if plan.tunnels:
        files.append(made_file("tunnel-modules", source=source, tunnels=plan.tunnels))
    files.append(_arp_program(plan, rules, source, has_sysctl=has_sysctl))
    return files, [_rules_step(plan, keeps_silent=keeps_silent, has_sysctl=has_sysctl)]


def _addresses(plan: Plan, source: str) -> _Part:
    """The VIPs, and a tunnel's device, which must be up for packets to come out of it."""
    if not plan.needs_vip_program:
        return [], []
    devices = {line.device for line in plan.addresses} | {t.device for t in plan.tunnels}
    program = made_file(
        "drctl-vip",
        source=source,
        checks_sysctl=plan.method == "sysctl" and bool(plan.silent),
        addresses=plan.addresses,
        devices=tuple(sorted(devices)),
        vips6=plan.has_vips6,
    )
    has_vips = any(not line.is_own for line in plan.addresses)
    title = "the VIPs" if has_vips else "the tunnel's device"
    return [program], [_program_step(title, "drctl-vip")]


def _ways_back(plan: Plan, source: str) -> _Part:
    if not plan.ways_back:
        return [], []
    program = made_file(
        "drctl-route", source=source, is_mixed=plan.is_mixed, gateways=plan.ways_back
    )
    return [program], [_program_step("the way back through the active director", "drctl-route")]


def _program_step(title: str, program: str) -> Step:
    start = f"/usr/libexec/drctl/{program} start"
    return Step(Stage.ADDRESS, title, start, _stop(program), tools=("ip",))


def _rule_files(plan: Plan, source: str) -> list[RenderedFile]:
    if plan.method in {"arptables", "arptables_jf"} and plan.silent:
        return [made_file(plan.method, source=source, silent=plan.silent)]
    if plan.method == "nftables" and plan.silent:
        return [made_file("nftables", source=source, silent=plan.silent, vips6=plan.has_vips6)]
    if not plan.redirects:
        return []
    if plan.method == "nft-redirect":
        return [
            made_file(
                "nft-redirect",
                source=source,
                table=STANDBY_TABLE if plan.is_standby else TABLE,
                families=tuple(
                    (word, lines)
                    for word, family in (("ip", 4), ("ip6", 6))
                    if (lines := _of_family(plan, family))
                ),
                is_standby=plan.is_standby,
            )
        ]
    return [
        made_file(
            "iptables",
            source=source,
            family=family,
            redirects=lines,
            chain=STANDBY_CHAIN if plan.is_standby else CHAIN,
            is_standby=plan.is_standby,
        )
        for family in (4, 6)
        if (lines := _of_family(plan, family))
    ]


def _of_family(plan: Plan, family: int) -> tuple[Redirect, ...]:
    return tuple(line for line in plan.redirects if line.family == family)


def _nft_tables(plan: Plan) -> tuple[str, ...]:
    if plan.method == "nftables" and plan.silent:
        return ("arp drctl_arp",)
    if plan.method != "nft-redirect":
        return ()
    table = STANDBY_TABLE if plan.is_standby else TABLE
    return tuple(
        f"{word} {table}" for word, family in (("ip", 4), ("ip6", 6)) if _of_family(plan, family)
    )


def _arp_program(
    plan: Plan, rules: tuple[str, ...], source: str, *, has_sysctl: bool
) -> RenderedFile:
    return made_file(
        "drctl-arp",
        source=source,
        method=plan.method if rules else "",
        rules=rules,
        nft_tables=_nft_tables(plan),
        chain=STANDBY_CHAIN if plan.is_standby else CHAIN,
        tunnels=plan.tunnels,
        has_vips=any(not line.is_own for line in plan.addresses),
        has_sysctl=has_sysctl,
        refused=_never_held(plan),
    )


def _never_held(plan: Plan) -> tuple[str, ...]:
    """VIPs that the server must not have; a director has them while it is active."""
    if plan.is_standby:
        return ()
    return tuple(dict.fromkeys(line.vip for line in plan.redirects))


def _stop(program: str) -> str:
    """A program that an interrupted install.sh did not get to has nothing to stop."""
    path = f"/usr/libexec/drctl/{program}"
    return f"[ ! -x {path} ] || {path} stop\n"


_TITLES = {
    "sysctl": "silence about the VIPs (kernel settings)",
    "arptables": "silence about the VIPs (arptables)",
    "arptables_jf": "silence about the VIPs (arptables)",
    "nftables": "silence about the VIPs (nftables)",
    "iptables": "redirection of packets for the VIPs (iptables)",
    "nft-redirect": "redirection of packets for the VIPs (nftables)",
}
_TOOLS = {
    "sysctl": ("sysctl",),
    "arptables": ("arptables",),
    "arptables_jf": ("arptables",),
    "nftables": ("nft",),
    "iptables": ("iptables",),
    "nft-redirect": ("nft",),
}


def _rules_step(plan: Plan, *, keeps_silent: bool, has_sysctl: bool) -> Step:
    activate = "/usr/libexec/drctl/drctl-arp start\n"
    deactivate = _stop("drctl-arp")
    tools: tuple[str, ...] = _TOOLS[plan.method]
    if has_sysctl:
        keys = []
        if keeps_silent:
            keys += ["net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce"]
        keys += [
            f"net.ipv4.conf.{tunnel.device}.rp_filter"
            for tunnel in plan.tunnels
            if tunnel.device == "tunl0"
        ]
        activate = _SAVE_SYSCTL.format(keys=" ".join(keys)) + activate
        deactivate += _RESTORE_SYSCTL
        tools = tuple(dict.fromkeys((*tools, "sysctl")))
    stage = Stage.SYSCTL if plan.method == "sysctl" else Stage.RULES
    return Step(stage, _TITLES[plan.method], activate, deactivate, tools)
