"""A lab whose hosts are in a guest: this machine knows its name, what it is made of, and the
guest's keeper; everything else is in there, where it is a lab as any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drctl.errors import DrctlError, UsageError
from drctl.lab.door import site
from drctl.lab.door.site import Ended, Guest, Tell
from drctl.lab.setup import state
from drctl.lab.setup.build import check_machine
from drctl.lab.setup.design import Design
from drctl.lab.setup.show import option
from drctl.lab.setup.site import check_free, check_outside, other_design
from drctl.lab.setup.teardown import Gone, take_down

_LOG = "guest.log"


def bring_up(design: Design, kernel: str, tell: Tell, *, is_json: bool) -> tuple[Guest, Ended]:
    """Make a lab of this design in a guest with this kernel, or make whole the one that is there;
    what `lab up` said in it. Raises UsageError when there is another one of this name, DrctlError
    when it cannot be made."""
    _check()
    guest = _guest(design, kernel, tell)
    ended = guest.drctl(up_words(design, is_json=is_json), tell)
    if ended.code not in {0, 1}:
        own = option(design.name)
        hint = f"the guest stays: `drctl lab up{own}` tries again, `drctl lab down{own}` ends it"
        raise DrctlError(f"{refusal(ended)}\n{hint}")
    return guest, ended


def _guest(design: Design, kernel: str, tell: Tell) -> Guest:
    name = design.name
    with state.locked():
        known = state.read(name)
        if known is None:
            check_free(design)
        elif (known.digest, known.kernel) != (design.digest, kernel):
            raise UsageError(other_design(design, known, kernel))
        if (found := site.find(name)) is not None:
            return found
        site.end(name)
        state.write(state.State(name, design.source, design.digest, (), kernel=kernel))
        folder = state.folder_of(name)
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            return site.boot(name, kernel, folder / _LOG, tell)
        except BaseException:
            # nothing is in it that could be made whole
            take_down(state.State(name, design.source, design.digest, ()))
            raise


@contextmanager
def lent(design: Design, kernel: str, tell: Tell) -> Iterator[Guest]:
    """A guest for a lab of this design, which goes at the end, however this process ends. Raises
    UsageError, DrctlError when it does not come."""
    _check()
    with site.booted(design.name, kernel, tell) as guest:
        yield guest


def _check() -> None:
    check_outside()
    check_machine()
    site.check_machine()


def up_words(design: Design, *, is_json: bool) -> list[str]:
    """The command that makes the lab in its guest."""
    source = design.source
    made_of = ("--method", source.method, "--dialect", source.dialect, "--name", design.name)
    return ["lab", "up", source.path, *made_of, "-v", *(("--json",) if is_json else ())]


def guest_of(known: state.State) -> Guest:
    """The guest of a lab that is in one. Raises DrctlError when it is not there any more."""
    guest = site.find(known.name)
    if guest is None:
        raise DrctlError(
            f"the guest of lab {known.name} has ended ({known.folder / _LOG} has its last words): "
            f"`drctl lab up{option(known.name)}` boots it again"
        )
    return guest


def bring_down(name: str) -> Gone | None:
    """Take it away; None when there is none."""
    check_outside()
    check_machine()
    with state.locked():
        known = state.read(name)
        if known is None:
            return None
        count = site.end(name)
        gone = take_down(known)
        return Gone(gone.processes + count, gone.namespaces)


def refusal(ended: Ended) -> str:
    """Why a command of drctl did not do its work, in its own words."""
    told = [n for n, line in enumerate(ended.errors) if line.startswith(_SAYS)]
    lines = ended.errors[told[-1] :] if told else ended.errors[-5:]
    return "\n".join(lines).removeprefix(_SAYS) or "it said nothing"


_SAYS = "drctl: "
