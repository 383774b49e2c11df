"""Fuzzes drctl: every target of tests/fuzz_targets.py, by atheris and by hypothesis, half the time
each.

    fuzz.py [TARGET...] [--seconds N] [--engine atheris|hypothesis|both] [--out FOLDER]

Inputs that fail are kept as FOLDER/TARGET/failed-*; one that stays becomes a file in
tests/fuzz/cases/TARGET, which `make test` runs. First both engines must find a crash that was
planted. Exit code 1 when something failed, 2 when the set-up does not find the planted crash.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

ENGINES = ("atheris", "hypothesis")
DEFAULT_SECONDS = 600
PLANTED_SECONDS = 120
PLANTED = "planted"
LARGEST_BYTES = 4096
MOST_MEMORY_MB = 1024
SLOWEST_S = 20.0
"""Instrumented code is a few times slower."""
GRACE_S = 300
"""To start, and for the input that is under way when the time is up."""
_BATCH = 200
_FAILED = 77


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is asked for and say what failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", metavar="TARGET", nargs="*")
    seconds = int(os.environ.get("FUZZ_SECONDS") or DEFAULT_SECONDS)
    parser.add_argument("--seconds", type=int, default=seconds, help="for each target, in all")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "fuzz")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        return run_here(options)
    from fuzz_targets import TARGETS

    unknown = set(options.targets) - TARGETS.keys() - {PLANTED}
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    # so that the engine ends too
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    engines = ENGINES if options.engine == "both" else (options.engine,)
    if not options.targets and not finds_planted(engines, options.out):
        return 2
    failed = []
    for target in options.targets or TARGETS:
        for engine in engines:
            code = run_engine(engine, target, options.seconds // len(engines), options.out)
            if code != 0:
                failed.append(f"{target} by {engine}")
    print(f"fuzz: failed: {', '.join(failed)}" if failed else "fuzz: nothing failed", flush=True)
    return int(bool(failed))


def finds_planted(engines: Sequence[str], out: Path) -> bool:
    """Whether every engine finds the crash that was planted."""
    for engine in engines:
        if run_engine(engine, PLANTED, PLANTED_SECONDS, out) != _FAILED:
            print(f"fuzz: {engine} does not find the planted crash", file=sys.stderr)
            return False
    print("fuzz: the planted crash is found", flush=True)
    return True


def run_engine(engine: str, target: str, seconds: int, out: Path) -> int:
    """Run one engine on one target in a process of its own; 0 when nothing failed, `_FAILED` when
    an input did, anything else when the process died. One that hangs is ended."""
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    known = set(folder.glob("failed-*"))
    command = [sys.executable, __file__, "--child", "--engine", engine, target]
    command += ["--seconds", str(seconds), "--out", str(out)]
    log = folder / f"{engine}.log"
    start = time.monotonic()
    with log.open("wb") as file:
        child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=PROJECT)
        try:
            while child.poll() is None and time.monotonic() - start < seconds + GRACE_S:
                _wait(child, 30)
                print(f"fuzz: {target} by {engine}: {_progress(log)}", flush=True)
            if child.poll() is None:
                # its stack goes to the log
                child.send_signal(signal.SIGABRT)
                _wait(child, 10)
        finally:
            if child.poll() is None:
                child.kill()
            code = child.wait()
    for path in sorted(set(folder.glob("failed-*")) - known):
        print(f"fuzz: {target} by {engine}: failing input {path}", flush=True)
        code = _FAILED
    if code not in (0, _FAILED):
        print(f"fuzz: {target} by {engine}: ended with {code}, see {log}", file=sys.stderr)
    return code


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _progress(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    told = [line for line in lines if re.match(r"#\d+|runs:", line)]
    return told[-1].strip() if told else "starting"


# In the process that fuzzes.


def run_here(options: argparse.Namespace) -> int:
    """Fuzz one target with one engine."""
    import faulthandler

    faulthandler.enable()
    (name,) = options.targets
    folder = options.out / name
    if options.engine == "atheris":
        return run_atheris(name, options.seconds, folder)
    return run_hypothesis(name, options.seconds, folder)


def keeping(check: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """`check` that keeps an input that fails."""

    def kept(raw: bytes) -> None:
        try:
            check(raw)
        except BaseException:
            name = hashlib.sha256(raw).hexdigest()[:12]
            (folder / f"failed-{name}").write_bytes(raw)
            raise

    return kept


def run_hypothesis(name: str, seconds: float, folder: Path) -> int:
    """Batches of examples until the time is up; the smallest failing one is kept."""
    import traceback

    from fuzz_engine import find_failure
    from fuzz_targets import TARGETS, planted

    target = planted() if name == PLANTED else TARGETS[name]
    end = time.monotonic() + seconds
    runs = batch = 0
    while time.monotonic() < end:
        found = find_failure(target, batch, _BATCH)
        batch += 1
        runs += _BATCH
        print(f"runs: {runs}, {end - time.monotonic():.0f} s left", flush=True)
        if found is not None:
            raw, failure = found
            name = hashlib.sha256(raw).hexdigest()[:12]
            (folder / f"failed-{name}").write_bytes(raw)
            traceback.print_exception(failure)
            return _FAILED
    return 0


def import_all() -> None:
    """Import the parts that targets use, with what they import inside functions."""
    import importlib
    import pkgutil

    for part in ("text", "schema", "syntax", "model", "readers", "render", "convert", "lint"):
        package = importlib.import_module(f"drctl.{part}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


def run_atheris(name: str, seconds: int, folder: Path) -> int:
    """libFuzzer with the instrumented drctl; it ends the process itself."""
    import importlib

    # not installed where mypy runs
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["drctl"], enable_loader_override=False):
        import_all()
        from fuzz_targets import TARGETS, planted, run
    from fuzz_texts import dictionary, mutated, seeds

    target = planted(is_rare=True) if name == PLANTED else TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for raw in seeds(name, target.dialect):
        (corpus / hashlib.sha256(raw).hexdigest()[:16]).write_bytes(raw)
    words = folder / "dictionary"
    dictionary(target.dialect, words)

    def mutate(raw: bytes, largest: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.4:
            changed: bytes = atheris.Mutate(raw, largest)
            return changed
        for _ in range(chance.randrange(1, 4)):
            raw = mutated(raw, chance, target.dialect)
        return raw[:largest]

    check = keeping(lambda raw: run(target, raw, SLOWEST_S), folder)
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={seconds}",
        f"-max_len={LARGEST_BYTES}",
        f"-dict={words}",
        f"-timeout={int(SLOWEST_S) * 2}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-artifact_prefix={folder}/failed-",
        f"-error_exitcode={_FAILED}",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, check, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
