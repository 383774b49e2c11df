"""`drctl lab run SCENARIO --kernel KERNEL`: what `lab up` makes, and a scenario in it, in a guest
kernel that has IPVS."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def run_scenario(options: argparse.Namespace) -> int:
    """Boot, make the lab there, play, tell; nothing of it is left."""
    from drctl.cli._lab_setup import NAME, clear, configuration_path, progress
    from drctl.errors import DrctlError, UsageError
    from drctl.lab.boot import check_visible
    from drctl.lab.in_guest import HIDDEN, run_commands
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
        raise UsageError("--name is for labs on this machine; a guest has one alone")
    check_visible(Path(path), HIDDEN, f"{path} is", "copy it to another folder")
    up = ["lab", "up", path, "--method", methods[0], "--dialect", options.dialect, "-v"]
    play = ["lab", "run", scenario.name, "-v"]
    if options.json:
        up, play = [*up, "--json"], [*play, "--json"]
    try:
        result = run_commands(options.kernel, (up, play), progress(is_verbose=options.verbose))
    finally:
        clear()
    last = result.commands[-1]
    if len(result.commands) < 2 or last.code not in {0, 1}:
        reason = "\n".join(last.errors[-5:]) or "it said nothing"
        raise DrctlError(f"the lab could not be made, or played in, in the guest:\n{reason}")
    if options.json:
        kernel = {"kind": options.kernel, "release": result.release}
        made, played = (json.loads("\n".join(one.lines)) for one in result.commands)
        told = {"schema": 1, "kernel": kernel, "up": made, "run": played}
        json.dump(told, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print(f"in {options.kernel} (Linux {result.release})\n")
        print("\n\n".join("\n".join(one.lines) for one in result.commands))
    return last.code
