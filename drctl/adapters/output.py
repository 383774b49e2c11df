"""A tree of generated files on disk that a later run may replace, and nobody's work with it.

`.drctl-manifest.json` in the output folder lists what drctl wrote, with digests. A folder without
one is not touched, nor is one whose listed files were edited since, unless forced. Files that are
not listed stay where they are.

Everything is first written below `.drctl-new` in the same folder, then moved into place name by
name, so a file is always the old one or the new one. The manifest that is there during the moves
knows both digests: a run that was cut short is repaired by the next one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from drctl import __version__
from drctl.adapters.workers import MOST_PIECES, share_out
from drctl.errors import FileRefused

MANIFEST = ".drctl-manifest.json"
STAGING = ".drctl-new"
_NEW_MANIFEST = MANIFEST + ".new"
_OWN = frozenset({MANIFEST, STAGING, _NEW_MANIFEST})
SCHEMA = 1
_BAD_PATH = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|\0")
_SHOWN = 5
_FORCE = "use another folder, or --force"

Digests = dict[str, frozenset[str]]
"""By path relative to the folder: the SHA-256 that drctl's file has, or may have after a run that
was cut short."""


class OutputFile(NamedTuple):
    """A file to write: `path` is relative with `/` between its parts, `mode` its permissions."""

    path: str
    text: str
    mode: int = 0o644


def _no_files() -> Iterable[OutputFile]:
    return ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a run changed: files made anew or replaced, files that were alike already, files of an
    earlier run that were removed."""

    written: int
    unchanged: int
    removed: int


def write_tree(
    base: Path,
    files: Iterable[OutputFile],
    make_more: Callable[[], Iterable[OutputFile]] = _no_files,
    *,
    is_forced: bool = False,
) -> Written:
    """Make `base` hold `files` and what `make_more` gives; stale files of an earlier run go, other
    people's files stay.

    `make_more` is called once. In a fresh folder the other files are written meanwhile, if they are
    many; its files must lie in other folders than they.

    Raises FileRefused with the reason: the folder was not made by drctl, a file in it was edited,
    a symbolic link is in the way, or what the operating system said; and what `make_more` raises,
    with nothing changed.
    """
    early = list(files)
    if len(early) < _FEW:
        early += make_more()
        make_more = _no_files
    try:
        with _locked(base):
            if len(early) >= _FEW and _is_fresh(base):
                return _fill(base, early, make_more)
            return _replace(base, _wanted([*early, *make_more()]), is_forced=is_forced)
    except OSError as refused:
        path = base if refused.filename is None else refused.filename
        raise FileRefused("write", os.fsdecode(path), refused) from refused


def _wanted(files: Sequence[OutputFile]) -> dict[str, OutputFile]:
    """The files by path, which are found to be paths that can be together in one folder."""
    wanted = {file.path: file for file in files}
    _check_paths(wanted, _folders_of(wanted))
    return wanted


def _is_fresh(base: Path) -> bool:
    """Whether there is nothing that could be lost, or be alike."""
    with os.scandir(base) as entries:
        return all(entry.name == STAGING for entry in entries)


def _fill(
    base: Path, early: Sequence[OutputFile], make_more: Callable[[], Iterable[OutputFile]]
) -> Written:
    """Write into a folder that holds nothing, with all processors."""
    contents = _Contents()
    staging = base / STAGING
    _remove_staging(staging)
    wanted = _wanted(early)

    def make_later() -> Iterable[OutputFile]:
        later = _wanted([*make_more()])
        assert wanted.keys().isdisjoint(later), "late files are other files"
        wanted.update(later)
        return later.values()

    try:
        _stage(staging, early, contents, make_later)
        _write_manifest(base, {p: frozenset({contents.of(f).digest}) for p, f in wanted.items()})
        _merge(str(staging), str(base))
    finally:
        _remove_staging(staging)
    return Written(len(wanted), 0, 0)


def _check_paths(wanted: Iterable[str], folders: set[str]) -> None:
    """Nothing may leave the folder or stand for a file and a folder at once. The paths come from
    checked names, so a bad one is a fault of the program."""
    for path in wanted:
        assert not _BAD_PATH.search(path), f"{path!r} is no relative path"
        assert path.partition("/")[0] not in _OWN, f"{path!r} is a name of ours"
        assert path not in folders, f"{path!r} would be a file and a folder"


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that `paths` lie in, at any depth."""
    found: set[str] = set()
    for path in paths:
        at = path.rfind("/")
        while at > 0 and path[:at] not in found:
            found.add(path[:at])
            at = path.rfind("/", 0, at)
    return found


@contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Make the folder when it is missing, and keep other runs out of it. One that was made and is
    still empty when something fails goes again."""
    is_new = not os.path.lexists(base)
    if not is_new and not base.is_dir():
        raise FileRefused("write to", str(base), "it is not a directory")
    base.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = "another drctl is writing there"
            raise FileRefused("write to", str(base), reason) from None
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                base.rmdir()
        raise
    finally:
        os.close(descriptor)


def _replace(base: Path, wanted: dict[str, OutputFile], *, is_forced: bool) -> Written:
    known = _read_manifest(base)
    present = _present(base, wanted, known or {})
    if not is_forced:
        _refuse_losses(base, known, present)
    known = known or {}
    contents = _Contents()
    same = {
        path
        for path, digest in present.items()
        if path in wanted
        and contents.of(wanted[path]).digest == digest
        and _mode(base / path) == wanted[path].mode
    }
    staging = base / STAGING
    _remove_staging(staging)
    try:
        _stage(staging, [file for path, file in wanted.items() if path not in same], contents)
        new = {path: frozenset({contents.of(file).digest}) for path, file in wanted.items()}
        both = _either(new, known)
        _write_manifest(base, both)
        _merge(str(staging), str(base))
    finally:
        _remove_staging(staging)
    stale = [path for path in present if path in known and path not in wanted]
    for path in stale:
        (base / path).unlink()
        _remove_empty_folders(base, path)
    if both != new:
        _write_manifest(base, new)
    return Written(len(wanted) - len(same), len(same), len(stale))


def _either(new: Digests, old: Digests) -> Digests:
    """What each file may be while the new ones replace the old ones."""
    if not old:
        return new
    return {path: new.get(path, frozenset()) | old.get(path, frozenset()) for path in old | new}


def _present(base: Path, wanted: Mapping[str, OutputFile], known: Digests) -> dict[str, str]:
    """Digests of the files that are there already and that are wanted or known.

    The folder is walked without following symbolic links, so no name in a manifest leads out of
    it. FileRefused when something else than a file or a folder is in the way.
    """
    found: dict[str, str] = {}
    folders = _folders_of(wanted)
    for path, entry in _walk(str(base), ""):
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.is_symlink() and (path in wanted or path in folders or path in known):
            raise FileRefused("replace", entry.path, "it is a symbolic link")
        if is_folder and path in wanted:
            raise FileRefused("replace", entry.path, "it is a folder, and a file is to go there")
        if not is_folder and path in folders:
            raise FileRefused("replace", entry.path, "it is a file, and a folder is to go there")
        if not is_folder and (path in wanted or path in known):
            if not entry.is_file(follow_symlinks=False):
                raise FileRefused("replace", entry.path, "it is no regular file")
            found[path] = _digest(Path(entry.path).read_bytes())
    return found


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every entry below `folder` with its relative path, but for drctl's own at the top."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if path in _OWN:
                continue
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, path + "/")


def _refuse_losses(base: Path, known: Digests | None, present: dict[str, str]) -> None:
    """FileRefused when replacing would lose what somebody else wrote."""
    if known is None:
        if next(_walk(str(base), ""), None) is not None:
            reason = f"it is not empty and was not made by drctl; {_FORCE}"
            raise FileRefused("write to", str(base), reason)
        return
    edited = sorted(path for path, digest in present.items() if digest not in known.get(path, ()))
    if edited:
        shown = ", ".join(edited[:_SHOWN])
        more = f" and {len(edited) - _SHOWN} more" if len(edited) > _SHOWN else ""
        kind = "edited since drctl wrote them, or not drctl's"
        reason = f"{shown}{more}: {kind}; keep them by using another folder, or --force"
        raise FileRefused("replace files in", str(base), reason)


def _read_manifest(base: Path) -> Digests | None:
    """What an earlier run wrote here; None when there is no manifest that drctl could have made."""
    path = base / MANIFEST
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        raise FileRefused("read", str(path), "it is no regular file")
    try:
        content: Any = json.loads(path.read_bytes())
        if content["schema"] != SCHEMA:
            reason = f"it is of schema {content['schema']}, made by another drctl; {_FORCE}"
            raise FileRefused("read", str(path), reason)
        return {str(name): frozenset(digests) for name, digests in content["files"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _write_manifest(base: Path, files: Digests) -> None:
    rows = {path: sorted(files[path]) for path in sorted(files)}
    document = {"schema": SCHEMA, "drctl": __version__, "files": rows}
    text = json.dumps(document, separators=(",\n", ": ")) + "\n"
    new = base / _NEW_MANIFEST
    new.unlink(missing_ok=True)
    _write(str(new), text.encode(), 0o644, umask=0o777)
    new.replace(base / MANIFEST)


class _Content(NamedTuple):
    """A file's bytes and their digest."""

    raw: bytes
    digest: str


class _Contents:
    """Contents by text: thousands of hosts have the same files."""

    def __init__(self) -> None:
        self._by_text: dict[str, _Content] = {}

    def of(self, file: OutputFile) -> _Content:
        found = self._by_text.get(file.text)
        if found is None:
            raw = file.text.encode()
            found = self._by_text[file.text] = _Content(raw, _digest(raw))
        return found


def _stage(
    staging: Path,
    files: Collection[OutputFile],
    contents: _Contents,
    make_more: Callable[[], Iterable[OutputFile]] = _no_files,
) -> None:
    """Write `files` below a fresh folder, and those of `make_more`, which are made meanwhile when
    `files` are many."""
    root = str(staging)
    os.mkdir(root)  # noqa: PTH102 - here and below: a hundred thousand times
    umask = _umask()

    def make_the_rest() -> None:
        _make(root, list(make_more()), contents, umask)

    if len(files) < _FEW:
        _make(root, files, contents, umask)
        make_the_rest()
        return
    pieces = _pieces(files)

    def make_piece(number: int) -> None:
        _make(root, pieces[number], contents, umask)

    share_out(len(pieces), make_piece, make_the_rest)


_FEW = 2000
"""Files that one process writes sooner than it starts another one."""


def _pieces(files: Iterable[OutputFile]) -> list[list[OutputFile]]:
    """Parts of about one size that have no folder in common."""
    by_host: dict[str, list[OutputFile]] = {}
    for file in files:
        by_host.setdefault(file.path.partition("/")[0], []).append(file)
    hosts = list(by_host.values())
    size = -(-len(hosts) // MOST_PIECES) or 1
    return [
        [file for host in hosts[start : start + size] for file in host]
        for start in range(0, len(hosts), size)
    ]


def _make(root: str, files: Collection[OutputFile], contents: _Contents, umask: int) -> None:
    """Write `files` and the folders that they lie in, which nobody else makes."""
    for folder in sorted(_folders_of(file.path for file in files)):
        os.mkdir(f"{root}/{folder}")  # noqa: PTH102
    for file in files:
        _write(f"{root}/{file.path}", contents.of(file).raw, file.mode, umask=umask)


def _umask() -> int:
    """This process's; asking for it sets it, for a moment to what keeps everybody out."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _write(path: str, content: bytes, mode: int, *, umask: int) -> None:
    """A new file with exactly these permissions, whatever the umask."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        if mode & umask:
            os.fchmod(descriptor, mode)
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def _merge(source: str, target: str) -> None:
    """Move everything from one folder into another; a folder that is new there moves whole."""
    with os.scandir(source) as entries:
        for entry in list(entries):
            destination = f"{target}/{entry.name}"
            if entry.is_dir(follow_symlinks=False) and os.path.lexists(destination):
                _merge(entry.path, destination)
            else:
                os.replace(entry.path, destination)  # noqa: PTH105 - 100,000 times


def _remove_staging(staging: Path) -> None:
    if staging.is_symlink() or staging.is_file():
        staging.unlink()
    elif staging.exists():
        shutil.rmtree(staging)


def _remove_empty_folders(base: Path, path: str) -> None:
    """Remove the folders that `path` lay in, innermost first, as far as nothing else is there."""
    folder = (base / path).parent
    while folder != base:
        try:
            folder.rmdir()
        except OSError as refused:
            if refused.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return
            raise
        folder = folder.parent


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)
