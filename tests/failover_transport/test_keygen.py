"""`drctl keygen`, and key files that are refused."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from drctl.adapters.keys import (
    KeyRefused,
    generate,
    public_text,
    read_public,
    read_secret,
    secret_text,
)
from drctl.cli.main import main
from drctl.errors import FileRefused


def _secret(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "lb1.secret"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def _public(folder: Path, text: str) -> str:
    path = folder / "lb2.public"
    path.write_text(text)
    return str(path)


def test_keys_of_two_nodes_are_read_back(tmp_path: Path) -> None:
    assert main(["keygen", "lb1", "lb2", "-o", str(tmp_path / "keys")]) == 0
    for node in ("lb1", "lb2"):
        secret = tmp_path / "keys" / f"{node}.secret"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        own = read_secret(str(secret), node)
        assert read_public(str(tmp_path / "keys" / f"{node}.public"), node) == (own.public,)
    names = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert names == ["lb1.public", "lb1.secret", "lb2.public", "lb2.secret"]


def test_keys_that_are_there_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", "lb2", "-o", str(tmp_path)]) == 0
    before = (tmp_path / "lb2.secret").read_text()
    assert main(["keygen", "lb1", "lb2", "-o", str(tmp_path)]) == 2
    assert "it is there already (--force replaces)" in capsys.readouterr().err
    assert (tmp_path / "lb2.secret").read_text() == before
    assert not (tmp_path / "lb1.secret").exists(), "all or none"


def test_force_replaces_keys(tmp_path: Path) -> None:
    assert main(["keygen", "lb1", "-o", str(tmp_path)]) == 0
    before = (tmp_path / "lb1.secret").read_text()
    assert main(["keygen", "lb1", "-o", str(tmp_path), "--force"]) == 0
    assert (tmp_path / "lb1.secret").read_text() != before
    assert stat.S_IMODE((tmp_path / "lb1.secret").stat().st_mode) == 0o600


def test_json_names_files_and_public_keys_and_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen", "lb1", "-o", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr().out
    found = json.loads(printed)
    own = read_secret(str(tmp_path / "lb1.secret"), "lb1")
    assert found["schema"] == 1
    assert found["keys"][0]["public_key"] == own.public
    assert own.secret not in printed


@pytest.mark.parametrize("name", ["../lb1", "lb 1", "", "a" * 80, "-lb1"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    assert main(["keygen", "-o", str(tmp_path), "--", name]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_node_named_twice_is_refused(tmp_path: Path) -> None:
    assert main(["keygen", "lb1", "lb1", "-o", str(tmp_path)]) == 2


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main(["keygen", "lb1", "-o", str(tmp_path / "file" / "keys")]) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_secret_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    path = _secret(tmp_path, secret_text("lb1", generate()), mode)
    with pytest.raises(KeyRefused, match="chmod 600"):
        read_secret(path, "lb1")


def test_the_secret_of_another_node_is_refused(tmp_path: Path) -> None:
    path = _secret(tmp_path, secret_text("lb2", generate()))
    with pytest.raises(KeyRefused, match=r"lb1.secret:2: node lb2, .* key of lb1"):
        read_secret(path, "lb1")


def test_a_public_key_of_another_secret_is_refused(tmp_path: Path) -> None:
    first, second = generate(), generate()
    path = _secret(tmp_path, f"node lb1\npublic {first.public}\nsecret {second.secret}\n")
    with pytest.raises(KeyRefused, match="does not belong"):
        read_secret(path, "lb1")


def test_a_secret_in_a_public_file_is_refused(tmp_path: Path) -> None:
    path = _public(tmp_path, secret_text("lb2", generate()))
    with pytest.raises(KeyRefused, match="must not leave its node"):
        read_public(path, "lb2")


@pytest.mark.parametrize(
    "line", ["public short", "secret", "pubic x", "public a b", "public " + "0" * 40, "node lb2"]
)
def test_a_line_that_is_none_is_refused_with_its_number(line: str, tmp_path: Path) -> None:
    path = _public(tmp_path, public_text("lb2", generate()) + line + "\n")
    with pytest.raises(KeyRefused, match=r"lb2\.public:5: "):
        read_public(path, "lb2")


def test_comments_blanks_and_several_keys_are_read(tmp_path: Path) -> None:
    first, second = generate().public, generate().public
    text = f"# old\n\n  node lb2\n public {first}\n\t# new\npublic {second}\npublic {first}\n"
    assert read_public(_public(tmp_path, text), "lb2") == (first, second)


def test_a_message_never_shows_a_secret(tmp_path: Path) -> None:
    keys = generate()
    path = _secret(tmp_path, f"node lb1\nsecret {keys.secret}x\n")
    with pytest.raises(KeyRefused) as refused:
        read_secret(path, "lb1")
    assert keys.secret not in str(refused.value)
    assert keys.secret not in repr(keys)


def test_a_missing_file_is_refused_with_the_operation(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"cannot read .*: No such file"):
        read_public(str(tmp_path / "none"), "lb2")
