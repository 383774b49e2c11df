"""`drctl lab` of what is in a guest kernel that has IPVS: a lab that stays there, or one scenario
in one that goes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drctl.lab.door.site import Ended
    from drctl.lab.setup.state import State


def bring_up(options: argparse.Namespace, source: Any, kernel: str) -> int:
    """Make it there, or make it whole; tell what there is."""
    from drctl.cli._lab_setup import clear, design, progress
    from drctl.lab.door import lab

    _check_possible(source, kernel)
    made = design(options.name, source)
    try:
        guest, ended = lab.bring_up(
            made, kernel, progress(is_verbose=options.verbose), is_json=options.json
        )
        release = guest.release()
    finally:
        clear()
    _tell_up(ended, kernel, release, is_json=options.json)
    return ended.code


def _tell_up(ended: Ended, kernel: str, release: str, *, is_json: bool) -> None:
    if is_json:
        told = {**json.loads("\n".join(ended.lines)), "kernel": _kernel(kernel, release)}
        json.dump(told, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print(f"in {kernel} (Linux {release})")
        print("\n".join(ended.lines))


def _kernel(kind: str, release: str) -> dict[str, str]:
    return {"kind": kind, "release": release}


def shell(known: State, options: argparse.Namespace) -> int:
    """Run the command there as if it ran here."""
    from drctl.lab.door import lab

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    sys.stdout.flush()
    words = ("lab", "shell", "--name", known.name, options.host, *options.words)
    return lab.guest_of(known).become(words)


def _stop(number: int, _frame: object) -> None:
    """The terminal is to be as it was."""
    sys.exit(128 + number)


def play(known: State, options: argparse.Namespace) -> int:
    """Play a scenario in the lab that is there."""
    from drctl.cli._lab_setup import clear, progress
    from drctl.errors import DrctlError
    from drctl.lab.door import lab

    guest = lab.guest_of(known)
    try:
        ended = guest.drctl(
            _scenario_words(options.path, known.name, is_json=options.json),
            progress(is_verbose=options.verbose),
        )
    finally:
        clear()
    if ended.code not in {0, 1}:
        raise DrctlError(lab.refusal(ended))
    print("\n".join(ended.lines))
    return ended.code


def _scenario_words(scenario: str, name: str, *, is_json: bool) -> list[str]:
    return ["lab", "run", scenario, "--name", name, "-v", *(("--json",) if is_json else ())]


def run_scenario(options: argparse.Namespace) -> int:
    """Boot, make the lab there, play, tell; nothing of it is left."""
    from pathlib import Path

    from drctl.cli._lab_setup import NAME, clear, configuration_path, design, progress
    from drctl.errors import DrctlError, UsageError
    from drctl.lab.door import lab
    from drctl.lab.setup.design import Source
    from drctl.lab.setup.scenario import scenario_named
    from drctl.render.options import ARP_METHODS

    methods = options.method or [ARP_METHODS[0]]
    if len(methods) > 1 or methods[0] not in ARP_METHODS:
        known = ", ".join(ARP_METHODS)
        raise UsageError(f"a scenario has real servers of one --method; there are {known}")
    scenario = scenario_named(options.path)
    path = configuration_path(options.config)
    if not Path(path).is_file():
        raise UsageError(f"{path} is no file")
    if options.name != NAME:
        raise UsageError("--name is for a lab that is there; with --kernel one is made, and goes")
    source = Source(path, options.dialect, methods[0])
    _check_possible(source, options.kernel)
    made = design(f"run-{os.getpid()}", source)
    tell = progress(is_verbose=options.verbose)
    try:
        with lab.lent(made, options.kernel, tell) as guest:
            release = guest.release()
            up = guest.drctl(lab.up_words(made, is_json=options.json), tell)
            if up.code not in {0, 1}:
                raise DrctlError(f"the lab could not be made in the guest: {lab.refusal(up)}")
            words = _scenario_words(scenario.name, made.name, is_json=options.json)
            played = guest.drctl(words, tell)
            if played.code not in {0, 1}:
                raise DrctlError(f"it could not be played: {lab.refusal(played)}")
    finally:
        clear()
    if options.json:
        told = {
            "schema": 1,
            "kernel": _kernel(options.kernel, release),
            "up": json.loads("\n".join(up.lines)),
            "run": json.loads("\n".join(played.lines)),
        }
        json.dump(told, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print(f"in {options.kernel} (Linux {release})\n")
        print("\n\n".join("\n".join(one.lines) for one in (up, played)))
    return played.code


def _check_possible(source: Any, kernel: str) -> None:
    from pathlib import Path

    from drctl.errors import UsageError
    from drctl.lab.boot import check_visible
    from drctl.lab.door.site import HIDDEN
    from drctl.lab.method import METHODS

    able = METHODS[source.method].kernels if source.method in METHODS else ()
    if kernel not in able:
        way_out = f": --kernel {able[0]} has it" if able else ""
        raise UsageError(f"real servers by {source.method} cannot be in {kernel}{way_out}")
    check_visible(Path(source.path), HIDDEN, f"{source.path} is", "copy it to another folder")
