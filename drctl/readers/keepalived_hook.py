"""Commands at changes of state, in any block of a keepalived.conf."""

from __future__ import annotations

from collections.abc import Mapping

from drctl.model.origin import SELF
from drctl.model.pair import Hook
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import Field, Table, Values


def hooks_of(values: Values) -> tuple[Hook, ...]:
    """The hooks of a block, in the order of the file; each was read as a field `hook EVENT`."""
    hooks = []
    for name, found in values.values.items():
        if name.startswith(_HOOK) and found is not None:
            command, user, group = found
            places = tuple(values.places.get(name, ()))
            names = ["event", "command"]
            names.extend(key for key, value in (("user", user), ("group", group)) if value)
            origins = dict.fromkeys((SELF, *names), places)
            hooks.append(Hook(name.removeprefix(_HOOK), command, user, group, origins))
    return tuple(hooks)


_HOOK = "hook."


def hook_table(events: Mapping[str, str], *, keeps_first: bool) -> Table:
    """Entries for hooks, each a command with its user: `events` maps keywords to events."""
    return {
        keyword: Field(f"{_HOOK}{event}", w.owned_command, keeps_first)
        for keyword, event in events.items()
    }
