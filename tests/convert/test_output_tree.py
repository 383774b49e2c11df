"""The output folder: replaced only when nothing of anybody's is lost, repaired after a crash."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest

from drctl.adapters.output import MANIFEST, STAGING, OutputFile, write_tree
from drctl.errors import FileRefused

FILES = (
    OutputFile("web1/etc/a.conf", "a\n"),
    OutputFile("web1/install.sh", "#!/bin/sh\n", 0o755),
    OutputFile("report.md", "report\n"),
)


def _tree(base: Path) -> dict[str, str]:
    return {
        path.relative_to(base).as_posix(): path.read_text()
        for path in sorted(base.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def _wanted(files: tuple[OutputFile, ...] = FILES) -> dict[str, str]:
    return {file.path: file.text if isinstance(file.text, str) else file.text() for file in files}


def test_tree_is_written_with_modes_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        done = write_tree(tmp_path / "deep" / "out", FILES)
    finally:
        os.umask(before)
    base = tmp_path / "deep" / "out"
    assert _tree(base) == _wanted()
    assert (done.written, done.unchanged, done.removed) == (3, 0, 0)
    assert (base / "web1/install.sh").stat().st_mode & 0o777 == 0o755
    assert (base / "web1/etc/a.conf").stat().st_mode & 0o777 == 0o644
    assert not (base / STAGING).exists()


def test_tree_written_again_changes_nothing(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    before = (tmp_path / MANIFEST).read_bytes()
    stamp = (tmp_path / "report.md").stat().st_ino
    done = write_tree(tmp_path, FILES)
    assert (done.written, done.unchanged, done.removed) == (0, 3, 0)
    assert (tmp_path / MANIFEST).read_bytes() == before
    assert (tmp_path / "report.md").stat().st_ino == stamp


def test_stale_files_of_an_earlier_run_go_with_their_folders(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    done = write_tree(tmp_path, FILES[2:])
    assert done.removed == 2
    assert _tree(tmp_path) == _wanted(FILES[2:])
    assert not (tmp_path / "web1").exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    (tmp_path / "web1/etc/notes").write_text("mine")
    write_tree(tmp_path, FILES[2:])
    assert _tree(tmp_path) == {**_wanted(FILES[2:]), "web1/etc/notes": "mine"}


def test_folder_that_drctl_did_not_make_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(FileRefused, match="not made by drctl"):
        write_tree(tmp_path, FILES)
    assert _tree(tmp_path) == {"precious": "mine"}
    write_tree(tmp_path, FILES, is_forced=True)
    assert _tree(tmp_path) == {**_wanted(), "precious": "mine"}


def test_edited_file_is_refused_unless_forced(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    (tmp_path / "web1/etc/a.conf").write_text("edited\n")
    with pytest.raises(FileRefused, match=r"web1/etc/a\.conf"):
        write_tree(tmp_path, FILES)
    with pytest.raises(FileRefused):
        write_tree(tmp_path, FILES[2:])
    assert (tmp_path / "web1/etc/a.conf").read_text() == "edited\n"
    write_tree(tmp_path, FILES, is_forced=True)
    assert _tree(tmp_path) == _wanted()


def test_file_of_others_in_the_way_is_refused_unless_forced(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES[2:])
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1/install.sh").write_text("mine")
    with pytest.raises(FileRefused, match=r"web1/install\.sh"):
        write_tree(tmp_path, FILES)
    write_tree(tmp_path, FILES, is_forced=True)
    assert _tree(tmp_path) == _wanted()


def test_file_that_was_removed_comes_back(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    (tmp_path / "report.md").unlink()
    write_tree(tmp_path, FILES)
    assert _tree(tmp_path) == _wanted()


@pytest.mark.parametrize("place", ["web1", "web1/etc", "web1/etc/a.conf", "report.md"])
def test_symbolic_link_in_the_way_is_never_followed(tmp_path: Path, place: str) -> None:
    base, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    link = base / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(FileRefused, match="symbolic link"):
        write_tree(base, FILES, is_forced=True)
    assert list(outside.iterdir()) == []


def test_manifest_that_names_files_outside_removes_nothing_there(tmp_path: Path) -> None:
    base, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("mine")
    write_tree(base, FILES)
    manifest = json.loads((base / MANIFEST).read_text())
    manifest["files"]["../victim"] = []
    (base / MANIFEST).write_text(json.dumps(manifest))
    write_tree(base, FILES, is_forced=True)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "files": 3}'])
def test_manifest_that_is_none_of_drctls_is_refused(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path, FILES)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(FileRefused):
        write_tree(tmp_path, FILES)
    write_tree(tmp_path, FILES, is_forced=True)
    assert _tree(tmp_path) == _wanted()


def test_folder_where_a_file_is_to_go_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()
    with pytest.raises(FileRefused, match="it is a folder"):
        write_tree(tmp_path, FILES, is_forced=True)


def test_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(FileRefused, match="not a directory"):
        write_tree(tmp_path / "out", FILES)
    with pytest.raises(FileRefused):
        write_tree(tmp_path / "out" / "below", FILES)


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(FileRefused, match="another drctl"):
            write_tree(tmp_path, FILES)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("files", [(OutputFile("../x", ""),), (OutputFile("/x", ""),)])
def test_path_that_leaves_the_folder_is_our_mistake(
    tmp_path: Path, files: tuple[OutputFile, ...]
) -> None:
    with pytest.raises(AssertionError):
        write_tree(tmp_path, files)


def _killed_at(base: Path, files: tuple[OutputFile, ...], call: int) -> bool:
    """Write `files` in a child that dies at its `call`-th system call that changes something;
    whether it died."""
    child = os.fork()
    if child == 0:
        _die_at(call)
        write_tree(base, files)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def _die_at(call: int) -> None:
    """Ends this process at its n-th audit event of a change in the file system."""
    import sys

    left = [call]
    changing = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "open"}

    def hook(event: str, _args: tuple[object, ...]) -> None:
        if event in changing:
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)

    sys.addaudithook(hook)


def test_run_that_dies_anywhere_is_repaired_by_the_next(tmp_path: Path) -> None:
    new = (
        OutputFile("web1/etc/a.conf", "A\n"),
        OutputFile("web2/etc/b.conf", "b\n"),
        OutputFile("report.md", "new\n"),
    )
    call, died = 0, True
    while died:
        call += 1
        base = tmp_path / str(call)
        write_tree(base, FILES)
        died = _killed_at(base, new, call)
        write_tree(base, new)
        assert _tree(base) == _wanted(new)
        assert not (base / STAGING).exists()
    assert call > 10


def test_first_run_that_dies_anywhere_is_repaired_by_the_next(tmp_path: Path) -> None:
    call, died = 0, True
    while died:
        call += 1
        base = tmp_path / str(call)
        died = _killed_at(base, FILES, call)
        write_tree(base, FILES)
        assert _tree(base) == _wanted()
    assert call > 8
