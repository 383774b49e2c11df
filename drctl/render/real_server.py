"""A real server's files: what keeps it silent about the VIPs, the VIPs, and what brings both back
at boot in that order. On a director that is also a real server: what it does on standby.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from drctl.render.environment import rendered_file, targets
from drctl.render.host import Host
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
    plan = plan_of(host, options)
    options, losses = _fitting(plan, options)
    files, steps = _files_and_steps(plan, options)
    return Rendering(
        host=host.name,
        files=files,
        losses=tuple(dict.fromkeys((*host.losses, *plan.losses, *losses))),
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


def _files_and_steps(
    plan: Plan, options: RenderOptions
) -> tuple[tuple[RenderedFile, ...], tuple[Step, ...]]:
    """Thousands of servers of one service differ in nothing but their address, mostly not even
    in that; equal files are made once."""
    files: list[RenderedFile] = []
    steps: list[Step] = []
    source = options.source
    rules = _rule_files(plan, source)
    files.extend(rules)
    filtered = tuple(t.device for t in plan.tunnels if t.device == "tunl0")
    keeps_silent = plan.method == "sysctl" and bool(plan.silent)
    has_sysctl = keeps_silent or bool(filtered)
    if has_sysctl:
        files.append(
            _file(
                "sysctl",
                source=source,
                keeps_silent=keeps_silent,
                vips6=any(line.prefix == 128 for line in plan.addresses),
                filtered=filtered,
            )
        )
    if plan.tunnels:
        files.append(_file("tunnel-modules", source=source, tunnels=plan.tunnels))
    boot = BootPlan(plan, options, has_rules=plan.has_rules, has_vips=bool(plan.addresses))
    if plan.has_rules:
        files.append(
            _arp_program(plan, tuple(f.path for f in rules), source, has_sysctl=has_sysctl)
        )
        steps.append(_rules_step(plan, keeps_silent=keeps_silent, has_sysctl=has_sysctl))
    devices = tuple(
        sorted({line.device for line in plan.addresses} | {t.device for t in plan.tunnels})
    )
    if plan.addresses or (plan.tunnels and devices):
        files.append(
            _file(
                "drctl-vip",
                source=source,
                checks_sysctl=keeps_silent,
                addresses=plan.addresses,
                devices=devices,
            )
        )
        steps.append(
            Step(
                Stage.ADDRESS,
                "the VIPs" if plan.addresses else "the tunnel's device",
                "/usr/libexec/drctl/drctl-vip start",
                _stop("drctl-vip"),
                tools=("ip",),
            )
        )
    if plan.ways_back:
        files.append(
            _file("drctl-route", source=source, is_mixed=plan.is_mixed, gateways=plan.ways_back)
        )
        steps.append(
            Step(
                Stage.ADDRESS,
                "the way back through the active director",
                "/usr/libexec/drctl/drctl-route start",
                _stop("drctl-route"),
                tools=("ip",),
            )
        )
    more_files, more_steps = boot_files(boot)
    files.extend(more_files)
    steps.extend(more_steps)
    return tuple(sorted(files, key=lambda f: f.path)), tuple(sorted(steps, key=lambda s: s.stage))


def _file(name: str, **names: Hashable) -> RenderedFile:
    return _cached_file(name, tuple(names.items()))


@lru_cache(maxsize=256)
def _cached_file(name: str, names: tuple[tuple[str, Hashable], ...]) -> RenderedFile:
    return rendered_file(targets()[name], **dict(names))


def _rule_files(plan: Plan, source: str) -> list[RenderedFile]:
    if plan.method in {"arptables", "arptables_jf"} and plan.silent:
        return [_file(plan.method, source=source, silent=plan.silent)]
    if plan.method == "nftables" and plan.silent:
        vips6 = any(line.prefix == 128 for line in plan.addresses)
        return [_file("nftables", source=source, silent=plan.silent, vips6=vips6)]
    if not plan.redirects:
        return []
    if plan.method == "nft-redirect":
        return [
            _file(
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
        _file(
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
    return _file(
        "drctl-arp",
        source=source,
        method=plan.method if rules else "",
        rules=rules,
        nft_tables=_nft_tables(plan),
        chain=STANDBY_CHAIN if plan.is_standby else CHAIN,
        tunnels=plan.tunnels,
        has_vips=bool(plan.addresses),
        has_sysctl=has_sysctl,
    )


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
