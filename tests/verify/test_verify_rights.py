"""`drctl verify` needs CAP_NET_RAW and nothing else: no root, no other right, no file of root."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from verify_case import OTHER_VIP, VIP, VIP6, Setup, listening, setup

from tools import need

NOBODY = "65534"
NOT_ROOT = ("--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs")
RAW_ALONE = (*NOT_ROOT, "--inh-caps", "-all,+net_raw", "--ambient-caps", "-all,+net_raw")
NOTHING = (*NOT_ROOT, "--inh-caps", "-all", "--ambient-caps", "-all")
STATUS = "import sys; print(open('/proc/self/status').read())"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    with setup(tmp_path) as made:
        yield made


def as_user(place: Setup, rights: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    """A program on the watching host as the user nobody. What it reads is given to it on standard
    input: the checkout, and its Python, may lie where that user may not look."""
    program = need("setpriv", "util-linux")
    with (place.folder / "keepalived.conf").open() as file:
        return subprocess.run(
            place.hosts["mon"].command(program, *rights, sys.executable, *words),
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )


def rights_of(place: Setup, rights: tuple[str, ...]) -> dict[str, str]:
    done = as_user(place, rights, "-c", STATUS)
    if done.returncode != 0:
        pytest.skip(f"this Python cannot be started by another user: {done.stderr.strip()[-200:]}")
    pairs = (line.partition(":") for line in done.stdout.splitlines())
    return {key: value.strip() for key, _, value in pairs}


def test_verify_with_net_raw_alone_sees_everything(place: Setup) -> None:
    told = rights_of(place, RAW_ALONE)
    assert told["Uid"].split() == [NOBODY] * 4
    assert int(told["CapEff"], 16) == 1 << 13
    with listening(place.hosts["web1"]), listening(place.hosts["web2"]):
        done = as_user(place, RAW_ALONE, "-m", "drctl", "verify", "-", "--through", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {one["vip"]: one["verdict"] for one in found["vips"]} == dict.fromkeys(
        (VIP, OTHER_VIP, VIP6), "ok"
    )
    assert [one["verdict"] for one in found["through"]] == ["ok"] * 4


def test_verify_without_net_raw_names_what_is_needed(place: Setup) -> None:
    assert int(rights_of(place, NOTHING)["CapEff"], 16) == 0
    done = as_user(place, NOTHING, "-m", "drctl", "verify", "-")
    assert done.returncode == 2
    assert "CAP_NET_RAW" in done.stderr
