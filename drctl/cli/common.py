"""What several subcommands share: reading a configuration from a path or standard input."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from drctl.errors import FileRefused
from drctl.syntax.detect import DIALECTS, LVS_CF, is_undecided

if TYPE_CHECKING:
    from drctl.readers.reading import Reading

LARGEST_FILE_BYTES = 64 * 1024 * 1024


def add_dialect(parser: argparse.ArgumentParser) -> None:
    """The option `--dialect`."""
    parser.add_argument(
        "--dialect",
        choices=("auto", *DIALECTS),
        default="auto",
        help="language of PATH; auto (the default) looks at its content, not at its name",
    )


def read_bytes(path: str) -> bytes:
    """Bytes of a file, or of standard input for `-`; at most LARGEST_FILE_BYTES of them."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1)
        else:
            with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
                raw = file.read(LARGEST_FILE_BYTES + 1)
    except IsADirectoryError as refused:
        raise FileRefused("read", path, "it is a directory") from refused
    except OSError as refused:
        raise FileRefused("read", path, refused) from refused
    if len(raw) > LARGEST_FILE_BYTES:
        raise FileRefused("read", path, f"it is larger than {LARGEST_FILE_BYTES >> 20} MiB")
    return raw


def printable_path(path: str) -> str:
    """The path for people: bytes that are no UTF-8, which reports cannot hold, are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_configuration(path: str, dialect: str = "auto") -> Reading:
    """Tree and model of a file.

    A text that speaks for neither dialect (empty, comments alone, unknown words) is read as a
    keepalived.conf and still gets pulse's verdict, since it may as well be an lvs.cf.
    """
    from drctl.syntax.parser import parse_bytes

    document = parse_bytes(printable_path(path), read_bytes(path), dialect)
    if document.dialect == LVS_CF:
        from drctl.readers.lvs_cf import read

        return read(document)
    from drctl.readers.keepalived import read as read_keepalived

    reading = read_keepalived(document)
    source = document.source
    if dialect == "auto" and is_undecided(source.text):
        from drctl.quickclass import replace
        from drctl.syntax.pulse import judge

        reading = replace(reading, verdict=judge(source.encode(source.text)))
    return reading
