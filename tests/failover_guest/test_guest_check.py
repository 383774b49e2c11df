"""`keepalived --check` does health checks and IPVS beside drctl, which has the VIPs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from live_case import FULL

from drctl.lab.pair.director import Director
from drctl.lab.pair.host import CommandFailed, Host
from drctl.lab.pair.stage import SERVER, VIP, Plan, Stage, stage
from tools import need

KERNELS = ("uml", "qemu")
LIMIT_S = 120
PAGE = "import urllib.request as r; print(r.urlopen('http://{}/', timeout=5).status)"


def until(is_it: Callable[[], object], logs: Callable[[], str]) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not is_it():
        assert time.monotonic() < limit_s, logs()
        time.sleep(0.1)


@contextmanager
def running(host: Host, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            host.command(*command), stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT_S)


def serve(live: Stage, stack: ExitStack, folder: Path) -> None:
    """A web server on the real server, which has the VIP and is silent about it."""
    server = live.segment.hosts["rs"]
    server.run(
        "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"
    )
    server.ip("address", "add", f"{VIP}/32", "dev", "lo")
    web = [sys.executable, "-m", "http.server", "-d", str(folder), "80"]
    stack.enter_context(running(server, folder / "web.log", *web))
    # keepalived asks again after a minute only
    until(lambda: page(server, SERVER) == "200", live.logs)


def check(director: Director, folder: Path) -> tuple[str, ...]:
    """keepalived's command line as its unit has it, DAEMON_ARGS being `--check`. The file is
    drctl's too, with what IPVS wants to know beside it."""
    log = folder / director.name
    config = director.folder / "keepalived.conf"
    text = config.read_text("utf-8")
    if "protocol" not in text:
        text = text.replace("lb_kind DR", "lb_algo rr\n    lb_kind DR\n    protocol TCP")
    config.write_text(text, encoding="utf-8")
    files = ("-p", f"{log}.pid", "-c", f"{log}.check", "-f", str(config))
    return (need("keepalived", "keepalived"), "--dont-fork", "-l", "-D", "--check", *files)


def services(director: Director) -> str:
    return director.host.run("ipvsadm", "-Ln")


def page(host: Host, address: str) -> str:
    """The status of the web page as a host sees it; "" when it gets none."""
    try:
        return host.run(sys.executable, "-c", PAGE.format(address)).strip()
    except CommandFailed:
        return ""


@FULL
def test_keepalived_check_balances_beside_drctl(tmp_path: Path) -> None:
    need("ipvsadm", "ipvsadm")
    with stage(Plan(heartbeat_ms=500, period_s=0.02)) as live, ExitStack() as stack:
        serve(live, stack, tmp_path)

        def logs() -> str:
            texts = [live.logs(), *(file.read_text()[-2000:] for file in tmp_path.glob("*.log"))]
            return "\n".join(texts)

        checks = {}
        for name, director in live.directors.items():
            command = check(director, tmp_path)
            checks[name] = stack.enter_context(
                running(director.host, tmp_path / f"{name}.log", *command)
            )
        everybody = list(live.directors.values())
        until(lambda: all("192.0.2.20:80" in services(each) for each in everybody), logs)
        first = live.holder()
        assert page(live.client_host, VIP) == "200", logs()
        # the VIPs move, and the connections with them
        first.ask("switch")
        second = live.holder(lambda name: name != first.name)
        assert page(live.client_host, VIP) == "200", logs()
        # no VIP moves when keepalived ends; drctl starts beside one that only checks
        checks[second.name].terminate()
        checks[second.name].wait(LIMIT_S)
        assert VIP in second.host.ip("address")
        assert live.holder() is second, logs()
        first.signal(signal.SIGTERM)
        until(lambda: not first.is_running(), logs)
        first.end()
        first.start()
        until(first.status, logs)
        stack.enter_context(running(second.host, tmp_path / "again.log", *check(second, tmp_path)))
        until(lambda: "192.0.2.20:80" in services(second), logs)
        assert page(live.client_host, VIP) == "200", logs()
