"""The methods that need nf_tables, in QEMU with Debian's kernel, all in one boot."""

from __future__ import annotations

from typing import Any

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import changed_by_a_lab, failures, machine_files, need_qemu, run_lab

pytestmark = [pytest.mark.lab, pytest.mark.qemu]

METHODS = ("nftables", "arptables-nft", "nft-redirect")


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need_qemu()
    folder = tmp_path_factory.mktemp("lab")
    source, kept = folder / "lvs.cf", folder / "kept"
    source.write_text(PAIR + VIRTUAL)
    before = machine_files()
    wanted = [word for method in METHODS for word in ("--method", method)]
    code, result = run_lab(str(source), *wanted, "--keep", str(kept))
    assert changed_by_a_lab(before, kept) == []
    assert result["kernel"]["kind"] == "qemu"
    assert code == int(not result["holds"])
    return {trial["method"]: trial for trial in result["trials"]}


@pytest.mark.parametrize("method", METHODS)
def test_lab_with_debians_kernel_holds_every_assertion(trials: dict[str, Any], method: str) -> None:
    trial = trials[method]
    assert failures(trial) == []
    before, after = trial["measurements"]
    for measured in (before, after):
        answering = {who["host"] for hosts in measured["arp"][0]["rounds"] for who in hosts}
        assert answering == {measured["active"]}
        assert measured["flows"][0]["served"] == {"web1": 4, "web2": 4}
        assert measured["counters"]["TCP 192.0.2.80:80"]["out_packets"] == 0
    assert {before["active"], after["active"]} == {"primary", "backup"}
