"""What a reader gives: the model, and what it noticed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from drctl.model.configuration import Configuration
    from drctl.model.origin import Leftover
    from drctl.readers.view import View
    from drctl.syntax.pulse import PulseVerdict
    from drctl.syntax.tree import Document
    from drctl.text.diagnostic import Diagnostic


@dataclass(frozen=True)
class Reading:
    """One file read: its tree, its model, and findings of decoding, tree and reader, in order.

    `verdict` is what Piranha's pulse would say of an lvs.cf, None for a keepalived.conf. `view` is
    set when a keepalived.conf was read as keepalived reads it, includes, conditions, definitions
    and sequences followed; the model is that of all its files then. `unread` are statements that
    broken braces hide from keepalived.
    """

    document: Document
    configuration: Configuration
    diagnostics: tuple[Diagnostic, ...] = ()
    verdict: PulseVerdict | None = None
    view: View | None = None
    unread: tuple[Leftover, ...] = ()

    @property
    def vanished(self) -> tuple[Leftover, ...]:
        """The statements of which keepalived reads nothing."""
        return self.unread if self.view is None else (*self.view.vanished, *self.unread)

    @property
    def documents(self) -> tuple[Document, ...]:
        """The files that were read, as they were written; the given one first."""
        return (self.document,) if self.view is None else self.view.documents
