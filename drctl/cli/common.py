"""What several subcommands share: reading a configuration from a path or standard input."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from typing import TYPE_CHECKING

from drctl.errors import FileRefused
from drctl.syntax.detect import DIALECTS, LVS_CF, detect, is_undecided, may_steer

if TYPE_CHECKING:
    from drctl.readers.reading import Reading
    from drctl.syntax.tree import Document
    from drctl.text.source import SourceFile

LARGEST_FILE_BYTES = 64 * 1024 * 1024
MEASURED_VERSION = (2, 2, 7)
"""The keepalived that reads a configuration unless another one is named."""


def add_dialect(parser: argparse.ArgumentParser) -> None:
    """The option `--dialect`."""
    parser.add_argument(
        "--dialect",
        choices=("auto", *DIALECTS),
        default="auto",
        help="language of PATH; auto (the default) looks at its content, not at its name",
    )


def add_json(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option `--json`, which every command with `--format json` has."""
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="same as --format json"
    )


def add_target_version(parser: argparse.ArgumentParser) -> None:
    """The option `--target-version`."""
    parser.add_argument(
        "--target-version",
        metavar="VERSION",
        default="2.2.7",
        help="release of keepalived that is to read the files (default: 2.2.7)",
    )


def checked_version(text: str) -> tuple[int, ...]:
    """The version that `--target-version` names, as numbers."""
    from drctl.errors import UsageError
    from drctl.schema.table import version_of

    if not all(part.isascii() and part.isdigit() for part in text.split(".")):
        raise UsageError(f"--target-version {text} is no version like 2.2.7")
    return version_of(text)


def read_bytes(path: str) -> bytes:
    """Bytes of a file, or of standard input for `-`; at most LARGEST_FILE_BYTES of them."""
    is_larger = False
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1)
        else:
            with open(path, "rb", opener=_open_now) as file:
                # the size of what is no regular file is 0
                found = os.fstat(file.fileno())
                is_larger = found.st_size > LARGEST_FILE_BYTES
                raw = b"" if is_larger else file.read(LARGEST_FILE_BYTES + 1)
                if not raw and stat.S_ISFIFO(found.st_mode):
                    raise FileRefused("read", path, "it is a FIFO that nothing was written to")
    except IsADirectoryError as refused:
        raise FileRefused("read", path, "it is a directory") from refused
    except OSError as refused:
        raise FileRefused("read", path, refused) from refused
    if is_larger or len(raw) > LARGEST_FILE_BYTES:
        raise FileRefused("read", path, f"it is larger than {LARGEST_FILE_BYTES >> 20} MiB")
    return raw


def _open_now(path: str, flags: int) -> int:
    """Open without waiting for a writer: a FIFO without one is empty, a pipe with one is read."""
    opened = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(opened, True)
    return opened


def printable_path(path: str) -> str:
    """The path for people: bytes that are no UTF-8, which reports cannot hold, are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def add_config_id(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option `--config-id`."""
    parser.add_argument(
        "--config-id",
        metavar="ID",
        help="as keepalived -i: decides which @ID lines of a keepalived.conf count (this host's "
        "name)",
    )


def read_configuration(
    path: str,
    dialect: str = "auto",
    *,
    config_id: str | None = None,
    home: str = "",
    version: tuple[int, ...] = MEASURED_VERSION,
    is_expanded: bool = True,
) -> Reading:
    """Tree and model of a file. A keepalived.conf is read as keepalived of this version with this
    configuration id (this host's name without one) reads it in the folder `home` (its own), what it
    includes too; unless `is_expanded`, the file's own text alone.

    A text that speaks for neither dialect (empty, comments alone, unknown words) is read as a
    keepalived.conf and still gets pulse's verdict, since it may as well be an lvs.cf.
    """
    from drctl.syntax.parser import parse
    from drctl.text.source import decode

    raw = read_bytes(path)
    source = decode(printable_path(path), raw)
    known = detect(source.text) if dialect == "auto" else dialect
    if known == LVS_CF:
        return _read_lvs_cf(source, raw)
    document = parse(source, known)
    reading = (
        read_as(document, config_id, home, version)
        if is_expanded
        else _read_text(document, version)
    )
    if dialect == "auto" and is_undecided(source.text):
        from drctl.quickclass import replace
        from drctl.syntax.pulse import judge

        reading = replace(reading, verdict=judge(source.encode(source.text)))
    return reading


def read_as(
    document: Document,
    config_id: str | None,
    home: str = "",
    version: tuple[int, ...] = MEASURED_VERSION,
) -> Reading:
    """The model of what keepalived of this version with this configuration id runs."""
    if document.is_template or not may_steer(document.source.text):
        return _read_text(document, version, is_effective=True)
    import os

    from drctl.adapters.config_files import ConfigFiles
    from drctl.readers.effective import read
    from drctl.syntax.expanded import ExpandOptions

    options = ExpandOptions(
        config_id=config_id,
        version=version,
        host_name=os.uname().nodename,
        environment=os.environ,
    )
    return read(document, ConfigFiles(document.source.path, home), options)


def _read_text(
    document: Document, version: tuple[int, ...], *, is_effective: bool = False
) -> Reading:
    from drctl.readers.keepalived import read

    return read(document, version, is_effective=is_effective)


_LARGE_BYTES = 200_000
"""A file of which two processes are sooner through than one."""


def _read_lvs_cf(source: SourceFile, raw: bytes) -> Reading:
    from drctl.readers.lvs_cf import read
    from drctl.syntax.parser import parse
    from drctl.syntax.pulse import judge

    if len(raw) < _LARGE_BYTES:
        return read(parse(source, LVS_CF))
    from drctl.adapters.workers import ask_beside

    verdict = ask_beside(lambda: judge(raw))
    return read(parse(source, LVS_CF), verdict)
