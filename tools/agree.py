"""How far drctl lint and keepalived -t agree: over the corpus, over mutations of it, and over
configurations that are composed of the examples of the tables.

    agree.py [--mutants N] [--composed N] [--seed N] [--jobs N] [--show N] [--strict]

The corpus has verdicts already; mutants are asked about through its `oracle.py`, which needs root
and keepalived 2.2.7. Verdicts are kept in out/agree, so that the next run asks only what is new.
Exit code 1 with --strict when a file of the corpus disagrees, or more than 0.5 % of the mutants or
of the composed ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from agreement.comparison import Disagreement, Verdict, disagreements, read_verdicts, verdict_of  # noqa: E402
from agreement.composition import compose  # noqa: E402
from agreement.linted import linted  # noqa: E402
from agreement.mutation import Mutant, mutate  # noqa: E402
from corpus import corpus_dir  # noqa: E402

ALLOWED_PERCENT = 0.5
BATCH = 400
TIMEOUT_S = 10
CACHE = PROJECT / "out" / "agree"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print, and say by the exit code whether the aim is reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=10_000, metavar="N")
    parser.add_argument("--composed", type=int, default=1_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first mutant")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--show", type=int, default=3, metavar="N", help="examples of each class")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args(argv)
    folder = corpus_dir()
    if folder is None:
        print("agree: no corpus (set DRCTL_CORPUS)", file=sys.stderr)
        return 2
    bad = compare_corpus(folder, options.show)
    seeds = range(options.seed, options.seed + options.mutants)
    wrong = [compare_mutants("mutants", list(mutants_of(folder, seeds)), folder, options)]
    seeds = range(options.seed, options.seed + options.composed)
    composed = [Mutant("composed", seed, compose(seed)) for seed in seeds]
    wrong.append(compare_mutants("composed", composed, folder, options))
    return int(options.strict and (bad > 0 or max(wrong) > ALLOWED_PERCENT))


def compare_corpus(folder: Path, show: int) -> int:
    """Compare the files of the corpus; returns how many disagree."""
    home = folder / "keepalived"
    tally = Tally()
    for name, verdict in read_verdicts(home / "VERDICTS.tsv").items():
        tally.add(name, disagreements(verdict, linted(home / name)))
    tally.print("corpus", show)
    return tally.bad


def compare_mutants(
    title: str, mutants: Sequence[Mutant], folder: Path, options: argparse.Namespace
) -> float:
    """Compare mutants, or other texts with a number; returns how many percent disagree."""
    if not mutants:
        return 0.0
    start = time.monotonic()
    tally = Tally()
    by_kind: Counter[str] = Counter()
    for mutant, verdict in judged(mutants, folder / "oracle.py", options.jobs):
        with tempfile.TemporaryDirectory(prefix="agree-") as base:
            file = Path(base) / file_name(mutant)
            file.write_bytes(mutant.text.encode("utf-8", "surrogateescape"))
            reasons = disagreements(verdict, linted(file))
        by_kind[mutant.kind] += bool(reasons)
        tally.add(f"{mutant.seed} ({mutant.kind})", reasons)
    tally.print(title, options.show)
    if tally.bad:
        print("disagreements by kind:", dict(by_kind.most_common()))
    print(f"{title} took {(time.monotonic() - start) / 60:.1f} minutes")
    return tally.percent


def mutants_of(folder: Path, seeds: Iterable[int]) -> Iterator[Mutant]:
    """The mutants with these seeds, each fifth one of the project's own cases: they have what no
    file of the corpus has."""
    files = sorted((folder / "keepalived").glob("*.conf"))
    own = sorted((PROJECT / "tests" / "agree" / "cases").glob("*.conf"))
    texts, own_texts = ([read_text(file) for file in some] for some in (files, own))
    for seed in seeds:
        is_own = seed % 5 == 0
        text = own_texts[seed // 5 % len(own)] if is_own else texts[seed % len(texts)]
        yield mutate(text, seed, has_examples=is_own)


def read_text(file: Path) -> str:
    """Text in which every byte can be written back."""
    return file.read_bytes().decode("utf-8", "surrogateescape")


def file_name(mutant: Mutant) -> str:
    """The name under which keepalived sees a mutant."""
    return f"m{mutant.seed}.conf"


def judged(mutants: Sequence[Mutant], oracle: Path, jobs: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant with keepalived's verdict, asked in batches."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(mutants), BATCH):
        batch = mutants[first : first + BATCH]
        unknown = [mutant for mutant in batch if not kept(mutant).is_file()]
        if unknown:
            ask(unknown, oracle, jobs)
        asked = f"  {first + len(batch)} of {len(mutants)} mutants, {len(unknown)} newly asked"
        print(asked, file=sys.stderr, flush=True)
        for mutant in batch:
            answer = json.loads(kept(mutant).read_text("utf-8"))
            name = file_name(mutant)
            lines = [line.replace("(mutant.conf: ", f"({name}: ") for line in answer["lines"]]
            yield mutant, verdict_of(str(answer["exit"]), lines, name)


def kept(mutant: Mutant) -> Path:
    """Where the verdict on a text is kept."""
    raw = mutant.text.encode("utf-8", "surrogateescape")
    return CACHE / f"{hashlib.sha256(raw).hexdigest()[:32]}.json"


def ask(mutants: Sequence[Mutant], oracle: Path, jobs: int) -> None:
    """Ask the oracle about texts, and keep each answer as soon as it is there."""
    with tempfile.TemporaryDirectory(prefix="agree-") as base:
        files = {}
        for mutant in mutants:
            file = Path(base) / file_name(mutant)
            file.write_bytes(mutant.text.encode("utf-8", "surrogateescape"))
            files[str(file)] = mutant
        options = ["--format", "json", "--timeout", str(TIMEOUT_S), "-j", str(jobs)]
        command = [sys.executable, str(oracle), *options, *files]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as asked:
            assert asked.stdout is not None
            for row in asked.stdout:
                answer = json.loads(row)
                if "error" in answer:
                    raise SystemExit(f"agree: no verdict on {answer['file']}: {answer['error']}")
                keep(files.pop(answer["file"]), answer)
        if files:
            raise SystemExit(f"agree: the oracle has no verdict on {len(files)} mutants")


def keep(mutant: Mutant, answer: Mapping[str, Any]) -> None:
    """Keep a verdict, whatever the mutant's number is the next time."""
    name = file_name(mutant)
    lines = [line.replace(f"({name}: ", "(mutant.conf: ") for line in answer["lines"]]
    kept(mutant).write_text(json.dumps({"exit": answer["exit"], "lines": lines}), "utf-8")


class Tally:
    """Counts files, and classes of disagreement with examples."""

    def __init__(self) -> None:
        self.files = self.bad = 0
        self.classes: Counter[str] = Counter()
        self.examples: defaultdict[str, list[str]] = defaultdict(list)

    @property
    def percent(self) -> float:
        """How many percent of the files disagree."""
        return 100 * self.bad / self.files if self.files else 0.0

    def add(self, name: str, reasons: Sequence[Disagreement]) -> None:
        """One file, and why it disagrees, if it does."""
        self.files += 1
        self.bad += bool(reasons)
        for kind in {reason.kind for reason in reasons}:
            self.classes[kind] += 1
        for reason in reasons:
            self.examples[reason.kind].append(f"{name}: {reason.detail}")

    def print(self, title: str, show: int) -> None:
        """The share that agrees, then the classes."""
        good = self.files - self.bad
        print(f"{title}: {good} of {self.files} agree ({100 - self.percent:.2f} %)")
        for kind, count in self.classes.most_common():
            print(f"  {count:5} {kind}")
            for example in self.examples[kind][:show]:
                print(f"          {example}")


if __name__ == "__main__":
    sys.exit(main())
