"""Pages of text as wide as the terminal: paragraphs, items, and rows of a label and a text."""

from __future__ import annotations

from drctl.report.text import printable

_LABEL = 10
_NARROWEST, _WIDEST = 40, 100


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """`text` in lines of at most `width` columns where its words allow that; `first` and `rest` are
    put before the first line and the others."""
    lines: list[str] = []
    line, indent = first, len(first)
    for word in text.split():
        if len(line) > indent and len(line) + 1 + len(word) > width:
            lines.append(line)
            line, indent = rest, len(rest)
        line = f"{line} {word}" if len(line) > indent else line + word
    lines.append(line)
    return lines


def number(value: float) -> str:
    """A number as it stands in a file: 0.01, 4294967295."""
    return str(int(value)) if value == int(value) else repr(float(value))


class Page:
    """Lines of text that are wrapped."""

    def __init__(self, width: int) -> None:
        self._width = min(max(width, _NARROWEST), _WIDEST)
        self._lines: list[str] = []

    def line(self, text: str) -> None:
        """A line as it is."""
        self._lines.append(printable(text))

    def blank(self) -> None:
        """An empty line, unless there is one."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def paragraph(self, text: str, indent: str = "") -> None:
        """A paragraph."""
        self._lines += wrapped(printable(text), self._width, indent, indent)

    def item(self, text: str, indent: str = "") -> None:
        """A paragraph with a bullet."""
        self._lines += wrapped(printable(text), self._width, f"{indent}- ", f"{indent}  ")

    def row(self, label: str, *texts: str) -> None:
        """A label with its text, several of them one below the other."""
        first = f"{label:<{_LABEL}} "
        if len(first) > _LABEL + 1:
            self._lines.append(label)
            first = " " * (_LABEL + 1)
        for text in texts:
            self._lines += wrapped(printable(text), self._width, first, " " * (_LABEL + 1))
            first = " " * (_LABEL + 1)

    def code(self, label: str, text: str) -> None:
        """A label with lines that stay as they are."""
        first = f"{label:<{_LABEL}} "
        for line in text.removesuffix("\n").split("\n"):
            self._lines.append(f"{first}{printable(line)}".rstrip())
            first = " " * (_LABEL + 1)

    def text(self) -> str:
        """The page, with a line end after each line."""
        while self._lines and not self._lines[-1]:
            self._lines.pop()
        return "".join(f"{line}\n" for line in self._lines)
