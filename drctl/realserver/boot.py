"""What the boot files will bring up, against what is wanted: files, what starts them and when,
settings that win, and who else brings up a VIP."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drctl.realserver.effect import HANGS, LEAKS, REBOOT
from drctl.realserver.value import Boot, Difference, File, Wanted
from drctl.render.real_server_plan import REDIRECTING

PROVIDERS = {
    "networkd": ("systemd-networkd.service", "systemd-networkd"),
    "networkmanager": ("NetworkManager.service", "NetworkManager"),
    "ifupdown": ("networking.service", "networking"),
}
"""What brings up the VIPs at boot: its unit, and the service of System V."""
JF_SERVICE = "arptables_jf"
JF_FILE = "/etc/sysconfig/arptables"
_LEVELS = (2, 3, 4, 5)
_ORDER = re.compile(r"^\s*(After|Before|Requires|pre-up)\b\s*=?\s*(.*)$", re.MULTILINE)
_KEYFILE = "/etc/NetworkManager/system-connections/"
_OWN_DEVICES = frozenset({"lo", "tunl0", "sit0", "ip6tnl0"})
_NO_CARD = re.compile(r"(?:dummy|lo)\d*", re.ASCII)


def judge_boot(wanted: Wanted, boot: Boot) -> Iterator[Difference]:
    """All that the next boot would do differently."""
    for file in wanted.files:
        yield from _file(wanted, boot, file)
    yield from _units(wanted, boot)
    yield from _providers(boot)
    yield from _old_service(wanted, boot)
    yield from _settings(wanted, boot)
    yield from _addresses(wanted, boot)


def units_of(wanted: Wanted) -> tuple[str, ...]:
    """Units of systemd among the wanted files."""
    start = "/etc/systemd/system/"
    return tuple(
        file.path.removeprefix(start) for file in wanted.files if file.path.startswith(start)
    )


def is_by_provider(wanted: Wanted) -> bool:
    """Whether the system of `--net` has to run for the VIPs (or what comes before) to come up."""
    folders = ("/etc/systemd/network/", _KEYFILE, "/etc/network/")
    return any(file.path.startswith(folders) for file in wanted.files)


def _file(wanted: Wanted, boot: Boot, file: File) -> Iterator[Difference]:
    what, there = f"file {file.path}", boot.files.get(file.path)
    unit = boot.units.get(file.path.rpartition("/")[2])
    if unit is not None and unit.is_masked:
        return
    if there is None:
        effect = f"{REBOOT}this part is missing: {_effect_of_missing(wanted, file)}"
        yield Difference(what, "as drctl renders it", "not there", effect)
        return
    if there != file.text:
        lost = sorted(_order(file.text) - _order(there))
        effect = REBOOT + "something else"
        if lost:
            effect = f"{REBOOT}the VIP may come up before what keeps this server silent: {LEAKS}"
        missing = f", without {'; '.join(lost)}" if lost else ""
        yield Difference(what, "as drctl renders it", f"another content{missing}", effect)
    mode = boot.modes.get(file.path, file.mode)
    if file.mode & 0o111 and not mode & 0o100:
        effect = f"{REBOOT}it cannot be run: {_effect_of_missing(wanted, file)}"
        yield Difference(what, f"mode {file.mode:04o}", f"mode {mode:04o}", effect)
    elif file.path.startswith(_KEYFILE) and mode & 0o077:
        effect = f"{REBOOT}NetworkManager does not read what others may read: {HANGS}"
        yield Difference(what, f"mode {file.mode:04o}", f"mode {mode:04o}", effect)


def _order(text: str) -> set[str]:
    return {
        f"{key}{' ' if key == 'pre-up' else '='}{word}"
        for key, words in _ORDER.findall(text)
        for word in ([words] if key == "pre-up" else words.split())
    }


def _effect_of_missing(wanted: Wanted, file: File) -> str:
    name = file.path.rpartition("/")[2]
    if name.startswith("drctl-route"):
        return "answers pass the director by, and clients refuse them"
    if wanted.plan.method not in REDIRECTING and (
        name.startswith(("drctl-arp", "99-zz-drctl-arp", "arp")) or name == "ifup-pre-local"
    ):
        return f"the VIPs do not come up, or are spoken for: {LEAKS}"
    return HANGS


def _units(wanted: Wanted, boot: Boot) -> Iterator[Difference]:
    for name, unit in boot.units.items():
        if f"/etc/systemd/system/{name}" not in {file.path for file in wanted.files}:
            continue
        file = File(name, "")
        what, wish = f"unit {name}", "enabled for multi-user.target"
        effect = f"{REBOOT}it is not started: {_effect_of_missing(wanted, file)}"
        if unit.is_masked:
            yield Difference(what, wish, "masked", effect)
        elif not unit.is_enabled:
            targets = f"wanted by {', '.join(unit.targets)} only" if unit.targets else "not enabled"
            yield Difference(what, wish, targets, effect)
        for line in unit.changes:
            effect = f"{REBOOT}it is started at another time, on a condition, or as something else"
            yield Difference(what, "as drctl renders it", f"changed by {line}", effect)


def _providers(boot: Boot) -> Iterator[Difference]:
    for name, is_started in boot.providers.items():
        if not is_started:
            effect = f"{REBOOT}the VIPs do not come up: {HANGS}"
            yield Difference(f"unit {name}", "started at boot", "not enabled", effect)
    if not boot.reads_interfaces_d:
        yield Difference(
            "file /etc/network/interfaces",
            "a line: source /etc/network/interfaces.d/*",
            "no such line",
            f"{REBOOT}/etc/network/interfaces.d/drctl is not read and the VIPs do not come up: "
            f"{HANGS}",
        )


def _old_service(wanted: Wanted, boot: Boot) -> Iterator[Difference]:
    if not any(file.path == JF_FILE for file in wanted.files):
        return
    what, wish = f"service {JF_SERVICE}", "started in runlevels 2 3 4 5, before network"
    effect = f"{REBOOT}the VIPs come up without rules: {LEAKS}"
    missing = [level for level in _LEVELS if level not in boot.rules_start]
    if missing:
        actual = f"not started in runlevel {' '.join(map(str, missing))}"
        yield Difference(what, wish, actual, effect)
    late = [
        level
        for level, number in boot.rules_start.items()
        if number >= boot.network_start.get(level, 100)
    ]
    if late:
        level = late[0]
        actual = (
            f"S{boot.rules_start[level]:02}, after S{boot.network_start[level]:02}network in "
            f"runlevel {' '.join(map(str, late))}"
        )
        effect = f"{REBOOT}the VIPs come up before the rules: {LEAKS}"
        yield Difference(what, wish, actual, effect)


def _settings(wanted: Wanted, boot: Boot) -> Iterator[Difference]:
    if wanted.plan.method == "sysctl" and wanted.plan.silent:
        for key, good in (
            ("net.ipv4.conf.all.arp_ignore", {"1", "2"}),
            ("net.ipv4.conf.all.arp_announce", {"2"}),
        ):
            found = boot.settings.get(key)
            if found is not None and found.value not in good:
                actual = f"{found.value}, set last by {found.path}"
                yield Difference(f"{key} at boot", min(good), actual, f"{REBOOT}{LEAKS}")
    for tunnel in wanted.plan.tunnels:
        key = f"net.ipv4.conf.{tunnel.device}.rp_filter"
        found = boot.settings.get(key)
        if tunnel.device == "tunl0" and found is not None and found.value != "2":
            actual = f"{found.value}, set last by {found.path}"
            effect = f"{REBOOT}packets out of the tunnel are dropped: {HANGS}"
            yield Difference(f"{key} at boot", "2", actual, effect)


def _addresses(wanted: Wanted, boot: Boot) -> Iterator[Difference]:
    """Somebody else's files that bring up a VIP."""
    lines = {line.vip: line for line in wanted.plan.addresses if not line.is_own}
    redirected = {line.vip for line in wanted.plan.redirects} if not wanted.plan.is_standby else ()
    for one in boot.addresses:
        prefix = f"/{one.prefix}" if one.prefix >= 0 else ""
        actual = f"{one.address}{prefix} on {one.interface or '?'} by {one.path}, line {one.line}"
        what, line = f"address {one.address} at boot", lines.get(one.address)
        leaks = f"{REBOOT}{one.interface or 'a card'} answers for it: {LEAKS}"
        is_on_card = one.interface not in _OWN_DEVICES and not _NO_CARD.fullmatch(one.interface)
        if one.address in redirected:
            yield Difference(what, "on no interface", actual, leaks)
        elif line is not None and is_on_card:
            yield Difference(what, f"{line.vip}/{line.prefix} on {line.device}", actual, leaks)
        elif line is not None and one.interface == "lo" and one.prefix not in {line.prefix, -1}:
            effect = f"{REBOOT}the server takes the whole network for itself, and answers nobody"
            yield Difference(what, f"{line.vip}/{line.prefix} on {line.device}", actual, effect)
        elif line is not None and wanted.net == "ifupdown" and one.path.startswith("/etc/network/"):
            effect = f"{REBOOT}it may come up before what keeps this server silent: {LEAKS}"
            yield Difference(what, "after /usr/libexec/drctl/drctl-arp start", actual, effect)
