"""compose/ as pytest-docker brings it up, in a docker daemon of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_case import BASE, Project, build_context, compose_command, daemon
from pytest_docker.plugin import Services


@pytest.fixture(scope="session")
def docker_address() -> Iterator[str]:
    with daemon() as address:
        yield address


@pytest.fixture(scope="session")
def docker_compose_command(docker_address: str) -> str:
    return f"env DOCKER_HOST={docker_address} DRCTL_BASE={BASE} {compose_command()}"


@pytest.fixture(scope="session")
def docker_compose_file(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """compose/ as it is, but that the client writes for programs: a second one that asks beside it
    would hear the answers to the first one."""
    folder = build_context(tmp_path_factory.mktemp("context")) / "compose"
    override = folder / "journal.yaml"
    override.write_text("services:\n  client:\n    command: [who.py, --json]\n", encoding="utf-8")
    return [str(folder / "compose.yaml"), str(override)]


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return "pair"


@pytest.fixture(scope="session")
def docker_setup() -> str:
    return "up --build --detach"


@pytest.fixture(scope="session")
def pair(
    docker_address: str,
    docker_services: Services,
    docker_compose_project_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    """Everything, running; what the client writes is followed all the time."""
    assert docker_services is not None
    journal = Path(tmp_path_factory.mktemp("client"), "journal")
    project = Project(docker_address, docker_compose_project_name, journal)
    command = ["docker", "-H", docker_address, "logs", "--follow", project.container("client")]
    with journal.open("wb") as output:
        follower = subprocess.Popen(command, stdout=output)
    yield project
    follower.kill()
    follower.wait()


@pytest.fixture
def roles(pair: Project) -> tuple[str, str]:
    """Who is active and who stands by, before a test."""
    return pair.settle()
