"""What the environment refused, as exceptions; what a user wrote wrong is a `Diagnostic` instead.

Each error names the operation that was attempted; the command line prints it and exits with 2.
"""

from __future__ import annotations

from os import strerror


class DrctlError(Exception):
    """Something outside drctl made an operation impossible; `str()` is the message for the user."""


class UsageError(DrctlError):
    """The command line asks for something that cannot be: an unknown name, options that exclude
    each other."""


class FileRefused(DrctlError):
    """A file could not be read or written; carries the path and the errno's text."""

    def __init__(self, operation: str, path: str, cause: OSError | str) -> None:
        self.path = path
        reason = cause if isinstance(cause, str) else (cause.strerror or str(cause))
        super().__init__(f"cannot {operation} {path}: {reason}")


class ToolMissing(DrctlError):
    """A program that an operation needs is not installed."""

    def __init__(self, tool: str, package: str) -> None:
        self.tool = tool
        self.package = package
        super().__init__(f"{tool} is not installed (Debian package {package})")


class UnsafeValue(DrctlError):
    """A value cannot be written in a target's syntax without breaking out of it."""


class KernelRefused(DrctlError):
    """The kernel refused an operation; carries the errno, and the kernel's own words if any."""

    def __init__(self, operation: str, number: int | None, words: str = "") -> None:
        self.operation = operation
        self.errno = number or 0
        reason = strerror(self.errno) if self.errno else "unknown error"
        super().__init__(f"cannot {operation}: {reason}" + (f" ({words})" if words else ""))
