"""Every statement of every real file is in the model or among its leftovers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corpus import corpus_dir, keepalived_files, piranha_files
from coverage_of_reading import lost

from drctl.model.origin import leftovers
from drctl.readers import keepalived, lvs_cf
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes

needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus of real configurations")


def read(path: str, raw: bytes) -> Reading:
    document = parse_bytes(path, raw)
    reader = lvs_cf.read if document.dialect == "lvs.cf" else keepalived.read
    return reader(document)


@needs_corpus
@pytest.mark.parametrize("file", [*piranha_files(), *keepalived_files()], ids=lambda f: f.name)
def test_no_statement_of_real_file_is_lost(file: Path) -> None:
    assert lost(read(file.name, file.read_bytes())) == []


@needs_corpus
@pytest.mark.parametrize("file", [*piranha_files(), *keepalived_files()], ids=lambda f: f.name)
def test_leftover_of_real_file_has_place_text_and_reason(file: Path) -> None:
    for left in leftovers(read(file.name, file.read_bytes()).configuration):
        assert left.place is not None
        assert left.text.strip()
        assert left.reason


PIRANHA = """\
primary = 192.0.2.1
bogus = 1
virtual web {
    active = 1
    address = 192.0.2.10 eth0:1
    server one {
        address = 192.0.2.21
        active = 1
    }
}
"""
KEEPALIVED = """\
vrrp_instance A {
    state MASTER
    unknown_word 1
    virtual_ipaddress {
        192.0.2.10/32 dev eth0
    }
}
"""


@pytest.mark.parametrize("text", [PIRANHA, KEEPALIVED])
def test_statement_dropped_from_the_model_is_noticed(text: str) -> None:
    reading = read("x", text.encode())
    assert lost(reading) == []
    configuration = reading.configuration
    if configuration.services:
        (service,) = configuration.services
        without = replace(configuration, services=(replace(service, real_servers=()),))
        expected = ["x:6:5: server", "x:7:9: address", "x:8:9: active"]
    else:
        (instance,) = configuration.instances
        without = replace(configuration, instances=(replace(instance, vips=(), leftovers=()),))
        expected = ["x:3:5: unknown_word"]
    assert set(expected) <= set(lost(replace(reading, configuration=without)))
