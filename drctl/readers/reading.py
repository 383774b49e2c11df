"""What a reader gives: the model, and what it noticed on the way."""

from __future__ import annotations

from drctl.model.configuration import Configuration
from drctl.quickclass import dataclass
from drctl.syntax.tree import Document
from drctl.text.diagnostic import Diagnostic


@dataclass(frozen=True)
class Reading:
    """One file read: its tree, its model, and findings of decoding, tree and reader, in order."""

    document: Document
    configuration: Configuration
    diagnostics: tuple[Diagnostic, ...] = ()
