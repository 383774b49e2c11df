"""Where the project's data folders are: `grammar`, `templates`, `examples`.

A wheel carries them as `drctl/_data/<kind>`; a checkout has them beside its `pyproject.toml`. Plain
paths as text, neither `importlib.resources` nor `pathlib`: importing them costs more than reading
all tables.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drctl.errors import DrctlError

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGE = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 - pathlib takes 7 ms to import


class ResourceMissing(DrctlError):
    """A data folder of the project is neither in the installed package nor in a checkout."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"data folder {kind} not found beside {_PACKAGE}; install drctl again")


def resource_path(kind: str, package: str = _PACKAGE) -> str:
    """Folder with the data of `kind`; `package` is the folder of the `drctl` package.

    Raises `ResourceMissing`. What a wheel carries wins over a checkout around it.
    """
    installed = f"{package}/_data/{kind}"
    if is_folder(installed):
        return installed
    checkout = os.path.dirname(package)  # noqa: PTH120
    if is_file(f"{checkout}/pyproject.toml") and is_folder(f"{checkout}/{kind}"):
        return f"{checkout}/{kind}"
    raise ResourceMissing(kind)


def resource_dir(kind: str) -> Path:
    """The same as a Path, where a few milliseconds do not matter."""
    from pathlib import Path

    return Path(resource_path(kind))


def is_folder(path: str) -> bool:
    """Whether there is a folder."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str) -> bool:
    """Whether there is a file."""
    return os.path.isfile(path)  # noqa: PTH113


def read_text(path: str) -> str:
    """A data file, UTF-8 with line feeds."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()
