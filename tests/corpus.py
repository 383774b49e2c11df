"""Where the corpus of real configurations is; tests that need it are skipped without it."""

from __future__ import annotations

import csv
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def corpus_dir() -> Path | None:
    """`$DRCTL_CORPUS`, or `../shared/corpus` beside the project; None when there is none."""
    given = os.environ.get("DRCTL_CORPUS")
    folder = Path(given) if given else PROJECT.parent / "shared" / "corpus"
    return folder if (folder / "piranha" / "INDEX.tsv").is_file() else None


def piranha_files() -> list[Path]:
    """The lvs.cf files of the corpus, in order; empty without a corpus."""
    folder = corpus_dir()
    return [] if folder is None else sorted((folder / "piranha").glob("*.cf"))


def keepalived_files() -> list[Path]:
    """The keepalived.conf files of the corpus, members of include trees too."""
    folder = corpus_dir()
    if folder is None:
        return []
    return sorted(p for p in (folder / "keepalived").rglob("*.conf") if p.is_file())


def piranha_verdicts() -> dict[str, str]:
    """What the original parser said, by file name: the last column of INDEX.tsv."""
    folder = corpus_dir()
    if folder is None:
        return {}
    with (folder / "piranha" / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["file"]: row["original_parser_0.8.6"] for row in rows}
