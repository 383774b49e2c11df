"""Real configurations: what their real servers get is judged by the programs that read it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest
from corpus import keepalived_files, piranha_files
from real_server_box import Box

from drctl.cli.common import read_configuration
from drctl.convert.conversion import convert
from drctl.convert.options import ConvertOptions
from drctl.errors import DrctlError
from drctl.render.rendered import RenderedFile
from tools import need, need_root

JUDGED = ("nftables", "arptables", "iptables", "nft-redirect")


@lru_cache(maxsize=1)
def rule_files() -> tuple[RenderedFile, ...]:
    """Rules of every real server of every file, each text once."""
    found: dict[tuple[str, str], RenderedFile] = {}
    for path in (*piranha_files(), *keepalived_files()):
        for arp in JUDGED:
            try:
                made = convert(read_configuration(str(path)), ConvertOptions(arp=arp))
            except DrctlError:
                continue
            for rendering in made.real_servers:
                for file in rendering.files:
                    if file.path.startswith("/etc/drctl/"):
                        found.setdefault((file.path, file.text), file)
    return tuple(found.values())


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    if not piranha_files():
        pytest.skip("no corpus of configurations ($DRCTL_CORPUS)")
    need_root()
    with Box(tmp_path_factory.mktemp("corpus")) as machine:
        yield machine


def of(ending: str) -> list[RenderedFile]:
    files = [file for file in rule_files() if file.path.endswith(ending)]
    assert files, ending
    return files


@pytest.mark.parametrize("ending", ["/arp.nft", "/redirect.nft"])
def test_corpus_nftables_files_load(box: Box, ending: str) -> None:
    need("nft", "nftables")
    for file in of(ending):
        done = box.run("nft", "-c", "-f", "-", stdin=file.text, check=False)
        assert (done.returncode, done.stderr) == (0, ""), file.text


def test_corpus_iptables_files_pass_their_own_test(box: Box) -> None:
    need("iptables-restore", "iptables")
    for file in of("/iptables.rules"):
        box.run("iptables-restore", "--test", "--noflush", stdin=file.text)


def test_corpus_arptables_files_load(box: Box) -> None:
    need("arptables-nft-restore", "iptables")
    for file in of("/arptables.rules"):
        box.run("arptables-nft-restore", stdin=file.text)
        loaded = box.out("arptables-nft-save")
        assert loaded.count("\n-A ") == file.text.count("\n-A ")
