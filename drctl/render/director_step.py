"""What install.sh does on a director, as lines of POSIX sh that may run again."""

from __future__ import annotations

from collections.abc import Sequence

from drctl.render.checkarg import CHECK_PATH
from drctl.render.environment import shell
from drctl.render.rendered import Stage, Step

_SAVED_SYSCTL = "/var/lib/drctl/director-sysctl-before"
_WAS_ENABLED = "/var/lib/drctl/keepalived-before"

_CHECK_PROGRAM = f"""\
if ! {CHECK_PATH} --help >/dev/null; then
    echo 'the check program does not start; it needs Python 3.6 or later as /usr/bin/python3' >&2
    exit 1
fi
"""

_SYSCTL = """\
mkdir -p /var/lib/drctl
if [ ! -e {saved} ]; then
    sysctl {keys} >{saved}.new
    mv {saved}.new {saved}
fi
sysctl -q -p /etc/sysctl.d/99-zz-drctl-director.conf
"""
_UNDO_SYSCTL = """\
if [ -e {saved} ]; then
    sysctl -q -p {saved}
    rm -f {saved}
fi
"""

_ENABLE_MARKS = """\
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable drctl-marks.service
    systemctl start drctl-marks.service
elif command -v systemctl >/dev/null; then
    SYSTEMD_OFFLINE=1 systemctl enable drctl-marks.service
"""
_DISABLE_MARKS = """\
if [ -d /run/systemd/system ]; then
    systemctl disable --now drctl-marks.service
elif command -v systemctl >/dev/null; then
    SYSTEMD_OFFLINE=1 systemctl disable drctl-marks.service
"""
_ENABLE_INIT = """\
elif command -v chkconfig >/dev/null; then
    chkconfig --add drctl-marks
elif command -v update-rc.d >/dev/null; then
    update-rc.d drctl-marks defaults
"""
_DISABLE_INIT = """\
elif command -v chkconfig >/dev/null; then
    chkconfig --del drctl-marks
elif command -v update-rc.d >/dev/null; then
    update-rc.d -f drctl-marks remove
"""

_NO_PULSE = """\
if command -v pidof >/dev/null && pidof pulse >/dev/null; then
    echo 'pulse runs on this director; the VIPs and the IPVS table belong to one program only.' >&2
    echo 'Stop it (service pulse stop; chkconfig pulse off), then run this again.' >&2
    exit 1
fi
"""
_ACCEPTED = """\
status=0
keepalived -t -f /etc/keepalived/keepalived.conf || status=$?
case $status in
0) ;;
143)
    # 2.2.7 ends itself in the check of a script that runs as another user than root.
    echo 'note: keepalived broke off the check of its configuration at a script of another user'
    ;;
*)
    echo "keepalived does not accept its configuration (exit status $status, see above)." >&2
    echo 'It was neither started nor reloaded.' >&2
    exit 1
    ;;
esac
"""
_START = f"""\
mkdir -p /var/lib/drctl
if [ ! -e {_WAS_ENABLED} ]; then
    if systemctl -q is-enabled keepalived.service 2>/dev/null; then
        echo enabled >{_WAS_ENABLED}
    else
        echo disabled >{_WAS_ENABLED}
    fi
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable keepalived.service
    systemctl reload-or-restart keepalived.service
else
    if command -v systemctl >/dev/null; then
        SYSTEMD_OFFLINE=1 systemctl enable keepalived.service ||
            echo 'note: keepalived has no unit here; see to its start at boot'
    elif command -v chkconfig >/dev/null; then
        chkconfig keepalived on
    elif command -v update-rc.d >/dev/null; then
        update-rc.d keepalived defaults
    fi
    echo 'note: systemd does not run here; start keepalived with: service keepalived start'
    echo '      and when it runs already, let it read its configuration: service keepalived reload'
fi
"""
_STOP = f"""\
before=$(cat {_WAS_ENABLED} 2>/dev/null || echo disabled)
if [ -d /run/systemd/system ]; then
    systemctl stop keepalived.service
    [ "$before" = enabled ] || systemctl disable keepalived.service
else
    if command -v service >/dev/null; then
        service keepalived stop || :
    fi
    pid=$(cat /run/keepalived.pid 2>/dev/null || :)
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = keepalived ]; then
        echo 'keepalived still runs, and holds the VIPs when it is active; nothing was removed.' >&2
        echo 'Stop it (kill the process in /run/keepalived.pid), then run this again.' >&2
        exit 1
    fi
    if [ "$before" != enabled ] && command -v systemctl >/dev/null; then
        SYSTEMD_OFFLINE=1 systemctl disable keepalived.service || :
    fi
fi
rm -f {_WAS_ENABLED}
if [ -e /var/lib/drctl/saved/etc/keepalived/keepalived.conf ]; then
    echo 'note: keepalived is stopped; its earlier configuration comes back, so start it again'
fi
"""


def check_program_step() -> Step:
    """The check program must start here, or every server would be down."""
    return Step(Stage.RULES, "the check program", _CHECK_PROGRAM, tools=("python3",))


def mark_steps(marks: str, *, has_init_script: bool) -> tuple[Step, Step]:
    """Load the rules that give marks, and at every boot."""
    tool = "nft" if marks == "nftables" else "iptables"
    program = "/usr/libexec/drctl/drctl-marks"
    return (
        Step(
            Stage.RULES,
            f"marks of the virtual services ({marks})",
            f"{program} start",
            f"{program} stop",
            tools=(tool,),
        ),
        Step(
            Stage.SERVICE,
            "marks at boot",
            _ENABLE_MARKS + (_ENABLE_INIT if has_init_script else "") + "fi\n",
            _DISABLE_MARKS + (_DISABLE_INIT if has_init_script else "") + "fi\n",
        ),
    )


def sysctl_step(keys: Sequence[str]) -> Step:
    """Forwarding; what it was before is kept for uninstall.sh."""
    return Step(
        Stage.SYSCTL,
        "forwarding for masquerading",
        _SYSCTL.format(saved=_SAVED_SYSCTL, keys=" ".join(keys)),
        _UNDO_SYSCTL.format(saved=_SAVED_SYSCTL),
        tools=("sysctl",),
    )


def module_step(module: str) -> Step:
    """Load a kernel module now; modules-load.d does so at boot."""
    code = f"modprobe {module} || echo 'note: the kernel has no module {module}'"
    return Step(Stage.SERVICE, f"kernel module {module}", code)


def keepalived_step(firewall: Sequence[str]) -> Step:
    """Check the configuration, then start keepalived or tell it; never when the check fails."""
    note = ""
    if firewall:
        note = f"echo {shell(_firewall_note(firewall))}\n"
    return Step(
        Stage.SERVICE,
        "keepalived",
        _NO_PULSE + _ACCEPTED + note + _START,
        _STOP,
        tools=("keepalived",),
    )


def _firewall_note(firewall: Sequence[str]) -> str:
    rules = [path for path in firewall if not path.endswith(".xml")]
    return (
        "note: a firewall on this director must let the other director in, or both become active; "
        f"{' and '.join(rules)} has the rules"
    )
