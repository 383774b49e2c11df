"""Where the project's data folders are: `grammar`, `templates`, `examples`.

A wheel carries them as `drctl/_data/<kind>`; a checkout has them beside its `pyproject.toml`. Plain
paths, not `importlib.resources`, whose import alone costs more than reading all tables.
"""

from __future__ import annotations

from pathlib import Path

from drctl.errors import DrctlError

_PACKAGE = Path(__file__).resolve().parent


class ResourceMissing(DrctlError):
    """A data folder of the project is neither in the installed package nor in a checkout."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"data folder {kind} not found beside {_PACKAGE}; install drctl again")


def resource_dir(kind: str, package: Path = _PACKAGE) -> Path:
    """Folder with the data of `kind`; `package` is the folder of the `drctl` package.

    Raises `ResourceMissing`. What a wheel carries wins over a checkout around it.
    """
    installed = package / "_data" / kind
    if installed.is_dir():
        return installed
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    raise ResourceMissing(kind)
