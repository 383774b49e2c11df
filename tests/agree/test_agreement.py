"""drctl lint and keepalived -t: over the corpus, over samples of every rule, over some mutants."""

from __future__ import annotations

from pathlib import Path

import oracle
import pytest
from agreement.comparison import disagreements, read_verdicts, verdict_of
from agreement.composition import compose
from agreement.linted import linted
from agreement.mutation import mutate
from corpus import PROJECT, corpus_dir
from lint.test_lint_rules import FIRING

from tools import need, need_root

CORPUS = corpus_dir()
CASES = sorted((PROJECT / "tests" / "agree" / "cases").glob("*.conf"))
needs_corpus = pytest.mark.skipif(CORPUS is None, reason="no corpus")
MUTANTS = 60
COMPOSED = 20
NOT_TOLD = frozenset({"DR365"})
"""keepalived drops such a service without a message."""


@pytest.fixture
def keepalived() -> None:
    need("keepalived", "keepalived")
    need("unshare", "util-linux")
    need_root()


def reasons_of(text: str, folder: Path, name: str = "keepalived.conf") -> list[str]:
    """Why drctl and keepalived disagree on a text."""
    file = folder / name
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    asked = oracle.verdict(file.read_bytes(), name)
    lines = [f"({name}: Line {line}) {message}" for line, message in asked.located]
    placed = {message for _, message in asked.located}
    lines += [message for message in asked.messages if message not in placed]
    verdict = verdict_of("timeout" if asked.exit is None else str(asked.exit), lines, name)
    return [f"{one.kind}: {one.detail}" for one in disagreements(verdict, linted(file))]


@needs_corpus
def test_every_file_of_the_corpus_agrees() -> None:
    assert CORPUS is not None
    home = CORPUS / "keepalived"
    wrong = {
        name: reasons
        for name, verdict in read_verdicts(home / "VERDICTS.tsv").items()
        if (reasons := disagreements(verdict, linted(home / name)))
    }
    assert wrong == {}


@pytest.mark.usefixtures("keepalived")
@pytest.mark.parametrize("code", sorted(FIRING.keys() - NOT_TOLD))
def test_a_sample_of_a_rule_agrees(code: str, tmp_path: Path) -> None:
    assert reasons_of(FIRING[code][0], tmp_path) == []


@pytest.mark.usefixtures("keepalived")
@pytest.mark.parametrize("case", CASES, ids=lambda file: file.stem)
def test_a_case_of_what_the_corpus_lacks_agrees(case: Path, tmp_path: Path) -> None:
    assert reasons_of(case.read_text("utf-8"), tmp_path, case.name) == []


@pytest.mark.usefixtures("keepalived")
def test_mutants_agree(tmp_path: Path) -> None:
    texts = [case.read_text("utf-8") for case in CASES]
    mutants = [mutate(texts[seed % len(texts)], seed) for seed in range(MUTANTS)]
    wrong = {
        f"{mutant.seed} {mutant.kind}": reasons
        for mutant in mutants
        if (reasons := reasons_of(mutant.text, tmp_path, f"m{mutant.seed}.conf"))
    }
    assert wrong == {}


@pytest.mark.usefixtures("keepalived")
def test_composed_configurations_agree(tmp_path: Path) -> None:
    texts = {seed: compose(seed) for seed in range(COMPOSED)}
    wrong = {
        seed: reasons
        for seed, text in texts.items()
        if (reasons := reasons_of(text, tmp_path, f"c{seed}.conf"))
    }
    assert wrong == {}
