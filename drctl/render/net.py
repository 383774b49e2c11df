"""What brings a real server's rules and VIPs back at boot, rules first, for each way that systems
set up their network."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from drctl.render.made_once import made_file
from drctl.render.options import RenderOptions
from drctl.render.real_server_plan import REDIRECTING, Plan, VipAddress
from drctl.render.rendered import RenderedFile, Stage, Step

_BEFORE_WHAT = {
    "systemd": "drctl-vip.service, the network",
    "networkd": "systemd-networkd",
    "networkmanager": "NetworkManager",
}

_ENABLE = """\
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable {units}
    systemctl start {units}
elif command -v systemctl >/dev/null; then
    SYSTEMD_OFFLINE=1 systemctl enable {units}
fi
"""
_DISABLE = """\
for unit in {reverse}; do
    if [ ! -e "/etc/systemd/system/$unit" ]; then
        continue
    elif [ -d /run/systemd/system ]; then
        systemctl disable --now "$unit"
    elif command -v systemctl >/dev/null; then
        SYSTEMD_OFFLINE=1 systemctl disable "$unit"
    fi
done
"""
_NETWORKD_RELOAD = """\
if [ -d /run/systemd/system ] && systemctl -q is-active systemd-networkd; then
    networkctl reload
elif [ -d /run/systemd/system ]; then
    echo 'note: systemd-networkd is not running; the VIPs are there now, and at boot when it is'
fi
"""
_NM_LOAD = """\
if command -v nmcli >/dev/null && nmcli -t general status >/dev/null 2>&1; then
    nmcli connection load /etc/NetworkManager/system-connections/drctl-lo.nmconnection
    nmcli connection up drctl-lo
else
    echo 'note: NetworkManager is not running; the VIPs are there now, and at boot when it is'
fi
"""
_NM_UNLOAD = """\
if command -v nmcli >/dev/null && nmcli -t general status >/dev/null 2>&1; then
    nmcli connection delete drctl-lo || :
fi
"""
_CHKCONFIG = """\
if command -v chkconfig >/dev/null; then
    chkconfig --level 2345 arptables_jf on
else
    echo 'note: no chkconfig here; let the service arptables_jf start before the network at boot'
fi
"""
_UNCHKCONFIG = """\
if command -v chkconfig >/dev/null && [ ! -e /var/lib/drctl/saved/etc/sysconfig/arptables ]; then
    chkconfig --level 2345 arptables_jf off
fi
"""


@dataclass(frozen=True, slots=True)
class BootPlan:
    """A plan and the choices it is rendered with."""

    plan: Plan
    options: RenderOptions


def boot_files(boot: BootPlan) -> tuple[list[RenderedFile], list[Step]]:
    """Files and steps of `options.net`."""
    match boot.options.net:
        case "ifcfg":
            return _ifcfg(boot)
        case "ifupdown":
            return _ifupdown(boot)
        case _:
            return _systemd(boot)


def _file(boot: BootPlan, name: str, **names: Hashable) -> RenderedFile:
    return made_file(name, source=boot.options.source, **names)


def _systemd(boot: BootPlan) -> tuple[list[RenderedFile], list[Step]]:
    """Units of ours, and for networkd and NetworkManager the VIPs in their own files."""
    plan, net = boot.plan, boot.options.net
    files: list[RenderedFile] = []
    steps: list[Step] = []
    units: list[str] = []
    elsewhere = _held_by_manager(boot)
    own_vips = boot.plan.needs_vip_program and not elsewhere
    if boot.plan.has_rules:
        units.append("drctl-arp.service")
        files.append(
            _file(
                boot,
                "drctl-arp.service",
                is_redirect=plan.method in REDIRECTING,
                before_what=_BEFORE_WHAT[net],
                uses_nft=plan.method in {"nftables", "nft-redirect"},
                has_stop=not elsewhere,
            )
        )
    if own_vips:
        units.append("drctl-vip.service")
        files.append(_file(boot, "drctl-vip.service", has_rules=boot.plan.has_rules))
    if plan.ways_back:
        units.append("drctl-route.service")
        files.append(_file(boot, "drctl-route.service"))
    if elsewhere and net == "networkd":
        tunnels = {tunnel.device for tunnel in plan.tunnels}
        devices = sorted({line.device for line in plan.addresses} | tunnels)
        files.extend(
            _file(
                boot,
                "networkd",
                device=device,
                addresses=_on(plan, device),
                has_rules=boot.plan.has_rules,
            )
            for device in devices
        )
        steps.append(Step(Stage.SERVICE, "systemd-networkd", _NETWORKD_RELOAD, _NETWORKD_RELOAD))
    elif elsewhere:
        files.append(
            _file(boot, "networkmanager", addresses=plan.addresses, has_rules=boot.plan.has_rules)
        )
        steps.append(Step(Stage.SERVICE, "NetworkManager", _NM_LOAD, _NM_UNLOAD))
    if units:
        words, reverse = " ".join(units), " ".join(reversed(units))
        steps.append(
            Step(
                Stage.SERVICE,
                "start at boot",
                _ENABLE.format(units=words),
                _DISABLE.format(reverse=reverse),
            )
        )
    return files, steps


def _held_by_manager(boot: BootPlan) -> bool:
    """Whether networkd or NetworkManager brings up the VIPs; NetworkManager cannot have the
    kernel's own tunnel devices, so those VIPs come from our unit."""
    if boot.options.net == "networkmanager":
        return bool(boot.plan.addresses) and not boot.plan.tunnels
    return boot.options.net == "networkd" and boot.plan.needs_vip_program


def _on(plan: Plan, device: str) -> tuple[VipAddress, ...]:
    return tuple(line for line in plan.addresses if line.device == device)


def _ifcfg(boot: BootPlan) -> tuple[list[RenderedFile], list[Step]]:
    plan = boot.plan
    is_jf = plan.method == "arptables_jf"
    files: list[RenderedFile] = []
    steps: list[Step] = []
    plain = [line for line in plan.addresses if line.device == "lo" and line.prefix == 32]
    others = len(plain) != len(plan.addresses) or (
        boot.plan.needs_vip_program and not plan.addresses
    )
    files.extend(
        _file(boot, "ifcfg", number=number, line=line, is_jf=is_jf)
        for number, line in enumerate(plain)
    )
    if boot.plan.has_rules and (not is_jf or plan.tunnels):
        files.append(_file(boot, "ifup-pre-local"))
    if others or plan.ways_back:
        files.append(
            _file(
                boot,
                "ifup-local",
                brings_vips=others,
                brings_route=bool(plan.ways_back),
                is_jf=is_jf,
            )
        )
    if is_jf and plan.silent:
        steps.append(Step(Stage.SERVICE, "start at boot", _CHKCONFIG, _UNCHKCONFIG))
    return files, steps


def _ifupdown(boot: BootPlan) -> tuple[list[RenderedFile], list[Step]]:
    plan = boot.plan
    files: list[RenderedFile] = []
    if plan.addresses:
        files.append(
            _file(boot, "ifupdown", addresses=plan.addresses, has_rules=boot.plan.has_rules)
        )
    elif boot.plan.has_rules:
        files.append(_file(boot, "if-pre-up", brings_devices=bool(plan.tunnels)))
    if plan.ways_back:
        files.append(_file(boot, "if-up"))
    return files, []
