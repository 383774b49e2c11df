"""A statement on one line, as reports show it."""

from __future__ import annotations

from collections.abc import Collection

from drctl.syntax.tree import ErrorNode, Node
from drctl.text.secret import masked

_LONGEST = 120


def statement_text(node: Node, secrets: Collection[str] = ()) -> str:
    """The statement without its block, passwords masked, long ones cut. `secrets` are names of
    definitions that hold a password."""
    if isinstance(node, ErrorNode):
        text = node.leaves_[0].text
    else:
        text = " ".join([leaf.text for leaf in node.words])
        if node.body is not None:
            text += " {"
    text = masked(text, secrets)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return text
