"""Reads the keepalived.conf or lvs.cf that drctl.toml names, as the daemon sees it."""

from __future__ import annotations

import os

from drctl.adapters.config_files import ConfigFiles
from drctl.daemon.config import DaemonConfig
from drctl.daemon.failover_settings import Failover, build
from drctl.daemon.host import Host
from drctl.errors import FileRefused
from drctl.readers.reading import Reading
from drctl.syntax.detect import LVS_CF, detect
from drctl.syntax.expanded import ExpandOptions, Unreadable
from drctl.syntax.lexer import find_template_tag
from drctl.syntax.parser import parse
from drctl.text.source import SourceFile


def read_failover(
    config: DaemonConfig, host: Host, *, accepts_unsupported: bool = False
) -> Failover:
    """Settings out of the configuration and what it includes. Raises FileRefused or
    ConfigRefused."""
    reading = read_configuration(config.config, config.config_id)
    return build(config, reading, host, accepts_unsupported=accepts_unsupported)


def read_configuration(path: str, config_id: str | None = None) -> Reading:
    """The file as keepalived with this configuration id, or pulse, reads it."""
    files = ConfigFiles(path)
    source = files.read(path)
    if isinstance(source, Unreadable):
        raise FileRefused("read", path, source.reason)
    return read_source(source, files, config_id)


def read_source(source: SourceFile, files: ConfigFiles, config_id: str | None = None) -> Reading:
    """The same for a file in memory."""
    if detect(source.text) == LVS_CF:
        from drctl.readers import lvs_cf

        return lvs_cf.read(parse(source, LVS_CF))
    from drctl.readers import effective, keepalived

    document = parse(source, "keepalived")
    if find_template_tag(source.text) is not None:
        return keepalived.read(document)
    options = ExpandOptions(
        config_id=config_id, host_name=os.uname().nodename, environment=os.environ
    )
    return effective.read(document, files, options)
