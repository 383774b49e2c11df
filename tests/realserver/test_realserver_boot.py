"""`drctl realserver check` on boot files: what the next boot would do differently is named."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
from verify_case import CONFIGURATION, VIP

from drctl.adapters.boot_addresses import BootAddress, boot_addresses
from drctl.adapters.boot_units import enable_below
from drctl.cli._realserver_source import read_wanted
from drctl.realserver.boot import PROVIDERS, units_of
from drctl.realserver.compare import compare
from drctl.realserver.read import read_boot
from drctl.realserver.value import Difference, Wanted

WAYS = (
    ("sysctl", "systemd"),
    ("nftables", "networkd"),
    ("arptables", "networkmanager"),
    ("iptables", "ifcfg"),
    ("arptables_jf", "ifcfg"),
    ("nft-redirect", "ifupdown"),
    ("sysctl", "ifupdown"),
)
UNITS = "etc/systemd/system"
MASK = "255.255.255.0"


def wanted_by(folder: Path, method: str, net: str) -> Wanted:
    path = folder / "keepalived.conf"
    path.write_text(CONFIGURATION)
    words = {"path": str(path), "host": "192.0.2.21", "method": method, "net": net}
    return read_wanted(argparse.Namespace(**words, dialect="auto"))[0]


def installed(wanted: Wanted, root: Path) -> None:
    """What install.sh does on a host whose network system runs."""
    for file in wanted.files:
        write(root, file.path.lstrip("/"), file.text, file.mode)
    for unit in (*units_of(wanted), *(PROVIDERS.get(wanted.net) or ())[:1]):
        enable_below(root, unit)
    write(root, "etc/network/interfaces", "source /etc/network/interfaces.d/*\n")
    for level in range(2, 6):
        folder = root / f"etc/rc.d/rc{level}.d"
        folder.mkdir(parents=True)
        (folder / "S08arptables_jf").symlink_to("../init.d/arptables_jf")
        (folder / "S10network").symlink_to("../init.d/network")


def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    (root / path).chmod(mode)


def told(wanted: Wanted, root: Path) -> tuple[Difference, ...]:
    return compare(wanted, None, read_boot(wanted, root))


@pytest.mark.parametrize(("method", "net"), WAYS)
def test_boot_files_in_place_raise_nothing(tmp_path: Path, method: str, net: str) -> None:
    wanted = wanted_by(tmp_path, method, net)
    installed(wanted, tmp_path / "root")
    harmless = "# ip addr add 192.0.2.100/24 dev eth0\nip addr add 192.0.2.77/24 dev eth0\n"
    write(tmp_path / "root", "etc/rc.local", harmless)
    assert told(wanted, tmp_path / "root") == ()


def _no_link(root: Path) -> None:
    (root / UNITS / "multi-user.target.wants/drctl-arp.service").unlink()


def _other_target(root: Path) -> None:
    _no_link(root)
    other = root / UNITS / "rescue.target.wants/drctl-arp.service"
    other.parent.mkdir()
    other.symlink_to("/etc/systemd/system/drctl-arp.service")


def _masked(root: Path) -> None:
    (root / UNITS / "drctl-vip.service").unlink()
    (root / UNITS / "drctl-vip.service").symlink_to("/dev/null")


def _drop_in(root: Path) -> None:
    write(root, f"{UNITS}/drctl-arp.service.d/late.conf", "[Unit]\nAfter=network-online.target\n")


def _without_order(root: Path) -> None:
    unit = root / UNITS / "drctl-vip.service"
    lines = unit.read_text().splitlines(keepends=True)
    unit.write_text("".join(one for one in lines if "drctl-arp.service" not in one))


def _no_mode(root: Path) -> None:
    (root / "usr/libexec/drctl/drctl-arp").chmod(0o644)


def _sysctl_conf(root: Path) -> None:
    write(root, "etc/sysctl.conf", "net.ipv4.conf.all.arp_announce = 0\n")


def _file(path: str, text: str) -> Callable[[Path], None]:
    return lambda root: write(root, path, text)


def _open_keyfile(root: Path) -> None:
    (root / "etc/NetworkManager/system-connections/drctl-lo.nmconnection").chmod(0o644)


def _no_networkd(root: Path) -> None:
    (root / UNITS / "multi-user.target.wants/systemd-networkd.service").unlink()


def _late_rules(root: Path) -> None:
    folder = root / "etc/rc.d/rc3.d"
    (folder / "S08arptables_jf").rename(folder / "S92arptables_jf")


def _no_rules_in_5(root: Path) -> None:
    (root / "etc/rc.d/rc5.d/S08arptables_jf").unlink()


ARP, ON_CARD = "unit drctl-arp.service", f"address {VIP} at boot"
FAULTS: list[tuple[str, str, Callable[[Path], None], str, str, str]] = [
    ("sysctl", "systemd", _no_link, ARP, "not enabled", "past the director"),
    ("sysctl", "systemd", _other_target, ARP, "wanted by rescue.target only", "it is not started"),
    ("sysctl", "systemd", _masked, "unit drctl-vip.service", "masked", "hang"),
    (
        *("sysctl", "systemd", _drop_in, ARP),
        "changed by /etc/systemd/system/drctl-arp.service.d/late.conf: After=network-online.target",
        "at another time",
    ),
    (
        *("sysctl", "systemd", _without_order, "file /etc/systemd/system/drctl-vip.service"),
        "without After=drctl-arp.service",
        "the VIP may come up before what keeps this server silent",
    ),
    (
        *("sysctl", "systemd", _no_mode, "file /usr/libexec/drctl/drctl-arp"),
        "mode 0644",
        "it cannot be run",
    ),
    (
        *("sysctl", "systemd", _sysctl_conf, "net.ipv4.conf.all.arp_announce at boot"),
        "0, set last by /etc/sysctl.conf",
        "past the director",
    ),
    (
        *(
            "sysctl",
            "systemd",
            _file("etc/rc.local", f"ifconfig eth0:1 {VIP} netmask {MASK}\n"),
        ),
        *(ON_CARD, f"{VIP}/24 on eth0 by /etc/rc.local, line 1", "eth0 answers for it"),
    ),
    (
        *("nftables", "systemd"),
        _file("etc/sysconfig/network-scripts/ifcfg-lo:9", f"DEVICE=lo\nIPADDR={VIP}\nPREFIX=24\n"),
        *(ON_CARD, f"{VIP}/24 on lo", "takes the whole network for itself"),
    ),
    (
        *("iptables", "systemd"),
        _file("etc/network/interfaces.d/x", f"iface lo:1 inet static\n address {VIP}/32\n"),
        *(ON_CARD, f"{VIP}/32 on lo by /etc/network/interfaces.d/x, line 2", "answers for it"),
    ),
    (
        *("arptables", "networkmanager", _open_keyfile),
        "file /etc/NetworkManager/system-connections/drctl-lo.nmconnection",
        *("mode 0644", "does not read what others may read"),
    ),
    (
        *("nftables", "networkd", _no_networkd, "unit systemd-networkd.service"),
        *("not enabled", "the VIPs do not come up"),
    ),
    (
        *(
            "sysctl",
            "ifupdown",
            _file("etc/network/interfaces", "iface lo inet loopback\n"),
        ),
        *("file /etc/network/interfaces", "no such line", "is not read"),
    ),
    (
        *("arptables_jf", "ifcfg", _late_rules, "service arptables_jf"),
        *("S92, after S10network in runlevel 3", "the VIPs come up before the rules"),
    ),
    (
        *("arptables_jf", "ifcfg", _no_rules_in_5, "service arptables_jf"),
        *("not started in runlevel 5", "without rules"),
    ),
]


@pytest.mark.parametrize(("method", "net", "breaks", "what", "actual", "effect"), FAULTS)
def test_boot_fault_is_named(
    tmp_path: Path,
    method: str,
    net: str,
    breaks: Callable[[Path], None],
    what: str,
    actual: str,
    effect: str,
) -> None:
    wanted, root = wanted_by(tmp_path, method, net), tmp_path / "root"
    installed(wanted, root)
    breaks(root)
    found = [one for one in told(wanted, root) if one.what == what]
    assert any(actual in one.actual and effect in one.effect for one in found), told(wanted, root)


ADDRESSES = {
    "etc/network/interfaces": (
        (
            "auto eth0\niface eth0 inet static\n  address 192.0.2.5\n  netmask 255.255.255.0\n"
            "iface eth1 inet6 static\n  address 2001:db8::5/64\n"
            "  up ip addr add 192.0.2.6/32 dev lo\n"
        ),
        [("192.0.2.5", 24, "eth0", 3), ("2001:db8::5", 64, "eth1", 6), ("192.0.2.6", 32, "lo", 7)],
    ),
    "etc/sysconfig/network-scripts/ifcfg-eth0": (
        "DEVICE=eth0\nIPADDR0='192.0.2.5'\nNETMASK0=255.255.255.0\nIPV6ADDR=2001:db8::5/64\n",
        [("192.0.2.5", 24, "eth0", 2), ("2001:db8::5", 64, "eth0", 4)],
    ),
    "etc/systemd/network/10.network": (
        "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.5/24\n[Address]\nAddress = 192.0.2.6/32\n",
        [("192.0.2.5", 24, "eth0", 4), ("192.0.2.6", 32, "eth0", 6)],
    ),
    "etc/NetworkManager/system-connections/a.nmconnection": (
        "[connection]\ninterface-name=eth0\n[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\n",
        [("192.0.2.5", 24, "eth0", 4)],
    ),
    "etc/netplan/01.yaml": (
        (
            "network:\n  ethernets:\n    eth0:\n      addresses:\n        - 192.0.2.5/24\n"
            "      nameservers:\n        addresses: [192.0.2.1]\n"
            "    lo:\n      addresses: [192.0.2.6/32]\n"
        ),
        [("192.0.2.5", 24, "eth0", 5), ("192.0.2.6", 32, "lo", 9)],
    ),
    "etc/systemd/system/vip.service": (
        "[Service]\nExecStart=/sbin/ip -4 addr add 192.0.2.5/32 brd + dev lo label lo:0\n",
        [("192.0.2.5", 32, "lo", 2)],
    ),
}


@pytest.mark.parametrize("path", ADDRESSES)
def test_boot_addresses_of_a_system_are_read(tmp_path: Path, path: str) -> None:
    text, wanted = ADDRESSES[path]
    write(tmp_path, path, text)
    found = boot_addresses(tmp_path, ())
    assert list(found) == [
        BootAddress(address, prefix, device, f"/{path}", line)
        for address, prefix, device, line in wanted
    ]
