"""How far `drctl show` and keepalived's own dumps of what it understood agree.

    agree_meaning.py [FILE...] [--mutants N] [--seed N] [--jobs N] [--show N] [--strict]

Without files: the configurations of the corpus, the project's own ones, keepalived's samples, and
sheets of all right examples of the grammar's tables. With --mutants also mutations of these: words
dropped, doubled, misspelt, moved, numbers out of range …, as far as keepalived runs with them.
keepalived runs in User-mode Linux, since it needs a kernel with IPVS; one boot answers for many
files. Dumps are kept in out/agree, so that the next run asks only what is new. Needs root,
keepalived 2.2.7 and user-mode-linux. Exit code 1 with --strict when a file differs whose braces are
right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from agreement.meaning import Difference  # noqa: E402
from agreement.meaning_examples import sheets  # noqa: E402
from agreement.meaning_run import Outcome, compare  # noqa: E402
from agreement.meaning_world import Asked, answers  # noqa: E402
from agreement.mutation import mutate  # noqa: E402
from corpus import keepalived_files  # noqa: E402

CACHE = PROJECT / "out" / "agree"
OWN = (PROJECT / "tests" / "agree" / "meaning", PROJECT / "tests" / "agree" / "cases")
SAMPLES = Path("/usr/share/doc/keepalived/samples")


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print, and say by the exit code whether all is explained."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--mutants", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first mutant")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="guests at once")
    parser.add_argument("--show", type=int, default=3, metavar="N", help="examples of each kind")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args(argv)
    asked = [asked_of(file) for file in options.files] or everything()
    asked += mutants_of(asked, range(options.seed, options.seed + options.mutants))
    start = time.monotonic()
    outcomes = compared(asked, max(1, options.jobs))
    report(outcomes, options.show)
    print(f"meanings took {(time.monotonic() - start) / 60:.1f} minutes")
    return int(options.strict and any(one.is_unexplained for one in outcomes))


def everything() -> list[Asked]:
    """All configurations that there are here, the included ones with those that include them."""
    own = [file for folder in OWN for file in sorted(folder.glob("*.conf"))]
    samples = sorted(SAMPLES.glob("keepalived.conf.*")) if SAMPLES.is_dir() else []
    files = (*keepalived_files(), *own, *samples)
    return [*map(asked_of, files), *sheets()]


def asked_of(file: Path) -> Asked:
    """A file with everything below its folder, when it includes something."""
    text = text_of(file)
    others: dict[str, str] = {}
    if "include" in text:
        near = [other for other in sorted(file.parent.rglob("*")) if other.is_file()]
        if len(near) < MOST_INCLUDED:
            others = {str(o.relative_to(file.parent)): text_of(o) for o in near if o != file}
    return Asked(file.name, text, others)


def mutants_of(asked: Sequence[Asked], seeds: range) -> list[Asked]:
    """A mutation of one of the configurations for each seed."""
    found = []
    for seed in seeds:
        one = asked[seed % len(asked)]
        text = one.text.encode("latin-1").decode("utf-8", "surrogateescape")
        mutant = mutate(text, seed)
        raw = mutant.text.encode("utf-8", "surrogateescape").decode("latin-1")
        kind = mutant.kind.replace(" ", "-")
        found.append(Asked(f"m{seed}-{kind}-{one.name}", raw, one.others))
    return found


MOST_INCLUDED = 50
"""A folder with more files is a collection, not a tree of one configuration."""


def text_of(file: Path) -> str:
    """The bytes of a file, each as a character."""
    return file.read_bytes().decode("latin-1")


def compared(asked: Sequence[Asked], jobs: int) -> list[Outcome]:
    """The outcome for each configuration, in order; `jobs` guests run at once."""
    places = {id(one): number for number, one in enumerate(asked)}
    found: dict[int, Outcome] = {}

    def work(part: Sequence[Asked]) -> None:
        for one, answer in answers(part, CACHE):
            with tempfile.TemporaryDirectory(prefix="meaning-") as folder:
                found[places[id(one)]] = compare(one, answer, Path(folder))

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work, asked[first::jobs]) for first in range(jobs)]:
            done.result()
    return [found[number] for number in sorted(found)]


def report(outcomes: Sequence[Outcome], show: int) -> None:
    """The share that agrees, the kinds of differences, and what keepalived does not start with."""
    compared_ones = [one for one in outcomes if not one.refused]
    good = sum(not one.found for one in compared_ones)
    print(
        f"meaning: {good} of {len(compared_ones)} files agree; "
        f"{sum(one.blocks for one in compared_ones)} blocks, "
        f"{sum(one.fields for one in compared_ones)} fields, "
        f"{sum(len(one.found) for one in compared_ones)} differences"
    )
    broken = [one for one in compared_ones if one.has_broken_braces]
    print(f"{len(broken)} of the files that differ have broken braces")
    kinds: Counter[str] = Counter()
    examples: defaultdict[str, list[str]] = defaultdict(list)
    for one in compared_ones:
        for found in one.found:
            kinds[kind_of(found)] += 1  # those of broken braces too, to be seen
            examples[kind_of(found)].append(f"{one.name}: {found}")
    for kind, count in kinds.most_common():
        print(f"  {count:5} {kind}")
        for example in examples[kind][:show]:
            print(f"          {example}")
    refused = [one for one in outcomes if one.refused]
    print(f"keepalived does not run with {len(refused)} files")
    for one in refused:
        print(f"          {one.name}: {one.refused}")


def kind_of(found: Difference) -> str:
    """`service > real server: weight`, without the names in it."""
    words = [part.split(" ")[0] for part in found.block.split(" > ")]
    level = "" if len(words) == 1 else f" > {words[-1]}"
    if words[0] == "service":
        level = {1: "", 2: " > real server", 3: " > check"}[len(words)]
    return f"{words[0]}{level}: {found.field or 'missing'}"


if __name__ == "__main__":
    sys.exit(main())
