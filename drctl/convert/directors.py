"""What the directors of a pair are, from the file of one of them: all that needs no rendering."""

from __future__ import annotations

from drctl.convert.ledger import Ledger
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors, pair_of_keepalived, pair_of_readings
from drctl.convert.steering import note_both_as_written, note_readings
from drctl.model.pair import Rank
from drctl.readers.reading import Reading
from drctl.syntax.detect import LVS_CF


def directors_of(
    readings: tuple[Reading, ...],
    options: ConvertOptions,
    ledger: Ledger,
    peer: Reading | None = None,
) -> Directors:
    """The directors' configurations in keepalived's terms, from a file in either dialect."""
    note_readings(readings, ledger)
    own = readings[0]
    if own.document.dialect == LVS_CF:
        from drctl.convert.lower import lower

        return lower(own.configuration, options, ledger)
    _choose_ids(readings, ledger)
    if len(readings) > 1:
        other = readings[1].configuration
        directors = pair_of_readings(own.configuration, other, options, ledger)
        hosts = (options.primary, options.backup)
        is_primary = directors.given is Rank.PRIMARY
        note_both_as_written(readings, hosts if is_primary else hosts[::-1], ledger)
        return directors
    return pair_of_keepalived(own.configuration, options, ledger, peer)


def _choose_ids(readings: tuple[Reading, ...], ledger: Ledger) -> None:
    """Tell as whom a file with conditions was read."""
    view = readings[0].view
    if view is None:
        return
    is_named = any("_INSTANCE" in document.source.text for document in view.documents)
    if not (view.conditions or is_named or len(readings) > 1):
        return
    why = "decides on @ID lines and ${_INSTANCE} for the given director, as keepalived -i does"
    ledger.choose("configuration id", view.config_id or "none", why, "--config-id")
    if len(readings) > 1 and (other := readings[1].view) is not None:
        what = "configuration id of the other director"
        why = "the same file is read as that director reads it, and nothing is derived"
        ledger.choose(what, other.config_id or "none", why, "--peer-config-id")


def base_name(path: str) -> str:
    """Last part of a path as it can stand in a comment; standard input has a name of its own."""
    if path == "-":
        return "standard input"
    name = path.rstrip("/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\ufffd" for c in name)
