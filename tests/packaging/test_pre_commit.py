"""The hook `drctl-lint`, run by pre-commit in a repository that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import PROJECT
from lint_case import instance

from tools import refuse


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in the repository, with nothing of this process's environment that is about
    Python or git."""
    left_out = ("PYTHON", "VIRTUAL", "GIT_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    environment |= {"PRE_COMMIT_HOME": str(folder.parent / "pre-commit"), "HOME": str(folder)}
    return subprocess.run(
        words, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a configuration and with the hook, taken from a copy of the project:
    a repository of its own, so that what is not committed yet counts too."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    hooks = tmp_path / "drctl"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "drctl", "grammar",
         "templates", "examples", "pyproject.toml", "README.md", ".pre-commit-hooks.yaml"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in names:
        if (PROJECT / name).is_file():
            (hooks / name).parent.mkdir(parents=True, exist_ok=True)
            (hooks / name).write_bytes((PROJECT / name).read_bytes())
    user = tmp_path / "user"
    user.mkdir()
    for folder in (hooks, user):
        git(folder, "init", "--quiet")
    git(hooks, "add", ".")
    git(hooks, "commit", "--quiet", "--message", "hooks")
    revision = run(hooks, "git", "rev-parse", "HEAD").stdout.strip()
    (user / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {hooks}\n    rev: {revision}\n    hooks:\n      - id: drctl-lint\n"
    )
    return user


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = run(folder, "git", *identity, *words)
    assert done.returncode == 0, done.stderr


def test_the_hook_stops_a_commit_of_a_faulty_configuration(repository: Path) -> None:
    (repository / "etc").mkdir()
    file = repository / "etc" / "keepalived.conf"
    file.write_text(instance("priority 300"))
    (repository / "other.conf").write_text("no configuration of keepalived {")
    git(repository, "add", ".")
    pre_commit = (sys.executable, "-m", "pre_commit", "run")
    done = run(repository, *pre_commit)
    if "InstallationError" in done.stdout or "pip install" in done.stdout:
        refuse("pre-commit cannot install the hook: no package registry")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "etc/keepalived.conf:10:10: error: 300 is outside 1..255 [DR211" in done.stdout
    assert "other.conf" not in done.stdout
    file.write_text(instance("priority 200"))
    git(repository, "add", ".")
    assert run(repository, *pre_commit).returncode == 0
