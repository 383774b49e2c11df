"""What the instances of a group track, with the weights that count, by keepalived's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from drctl.core.priority import OWNER
from drctl.core.value import Member, Track
from drctl.model.configuration import Configuration
from drctl.model.tracking import TrackFile, TrackProcess
from drctl.model.vrrp import SyncGroup, TrackScript, VrrpInstance
from drctl.model.vrrp import Track as ModelTrack

DEFAULT_PRIORITY = 100
DEFAULT_FILE_WEIGHT = 1
FIRST_LOOK_MS = 5000
"""How long a group waits for the first word about files and processes, which are looked at as soon
as the process that does has been started."""

Watched = TrackScript | TrackFile | TrackProcess | None


@dataclass(frozen=True, slots=True)
class Watch:
    """Something to report under `name`: an interface (`what` None), or a script, file or process
    of the configuration."""

    name: str
    kind: str
    target: str
    what: Watched = None


class Tracked:
    """The members of one group with their tracks, and all that is to be watched for them.

    What keepalived (vrrp.c, vrrp_complete_instance and sync_group_tracking_init) does to weights:
    in a sync group without `sync_group_tracking_weight`, and for priority 255, an instance's own
    ones do not count. Those of the sync group itself count for every member, unless one has
    priority 255; they take the place of an instance's own weight for the same thing, where that has
    one. An instance's own interface has none.
    """

    def __init__(
        self,
        configuration: Configuration,
        refuse: Callable[[ModelTrack, str], None],
        members: Sequence[VrrpInstance],
        sync: SyncGroup | None,
    ) -> None:
        self._watched: dict[tuple[str, str], Watched] = {
            **{("script", one.name): one for one in configuration.scripts},
            **{("file", one.name): one for one in configuration.track_files},
            **{("process", one.name): one for one in configuration.track_processes},
        }
        defaults = configuration.settings.vrrp
        self._interface = defaults.default_interface if defaults else None
        self._refuse = refuse
        self._watches: dict[str, Watch] = {}
        has_weights = sync is None or sync.tracks_with_weight
        shared = self._made(sync.tracks) if sync is not None else {}
        if any(one.priority == OWNER for one in members):
            shared = {name: replace(one, weight=0) for name, one in shared.items()}
        self.members = tuple(self._member(one, shared, has_weights=has_weights) for one in members)
        tracks = [track for member in self.members for track in member.tracks]
        self.tracks = tuple(dict.fromkeys(tracks))
        counted = {track.name for track in tracks}
        self.watches = tuple(one for name, one in self._watches.items() if name in counted)

    def _member(
        self, instance: VrrpInstance, shared: dict[str, Track], *, has_weights: bool
    ) -> Member:
        priority = instance.priority or DEFAULT_PRIORITY
        own = self._made(instance.tracks)
        if not has_weights or priority == OWNER:
            own = {
                name: without
                for name, one in own.items()
                if (without := _without_weight(one, is_owner=has_weights)) is not None
            }
        for name, one in shared.items():
            if name not in own:
                own[name] = one
            elif own[name].weight and name.startswith("process:"):
                own[name] = replace(own[name], weight=one.weight)
            elif own[name].weight:
                own[name] = one
        # it counts without weight, as every interface of the group does
        own.pop(f"interface:{instance.interface or self._interface}", None)
        return Member(priority, tuple(own.values()))

    def _made(self, tracks: Iterable[ModelTrack]) -> dict[str, Track]:
        """By name; of two for the same thing the first counts."""
        found: dict[str, Track] = {}
        for track in tracks:
            made = self._track(track)
            if made is not None:
                found.setdefault(made.name, made)
        return found

    def _track(self, track: ModelTrack) -> Track | None:
        if track.kind == "bfd":
            return None
        what = self._watched.get((track.kind, track.name))
        if what is None and track.kind != "interface":
            self._refuse(track, f"track_{track.kind} {track.name}: it is not defined")
            return None
        weight = track.weight if track.weight is not None else (what.weight if what else None)
        if weight is None:
            weight = DEFAULT_FILE_WEIGHT if track.kind == "file" else 0
        is_reversed = "reverse" in track.options or (
            "noreverse" not in track.options and what is not None and what.is_reversed
        )
        name = f"{track.kind}:{track.name}"
        self._watches.setdefault(name, Watch(name, track.kind, track.name, what))
        return Track(
            name,
            weight,
            is_value=track.kind == "file",
            is_reversed=is_reversed,
            wait_ms=_wait_ms(what, weight),
        )


def _without_weight(track: Track, *, is_owner: bool) -> Track | None:
    """What is left of a track whose weight must not count; None when it does not count at all."""
    kind = track.name.partition(":")[0]
    if not track.weight or kind == "process":
        return track
    if kind == "interface":
        return None if is_owner else replace(track, weight=0)
    if kind == "file" and track.weight == DEFAULT_FILE_WEIGHT:
        return replace(track, weight=0)
    return None


def _wait_ms(what: Watched, weight: int) -> int:
    """How long a group that starts waits for the first word about it: as long as the first run of
    a script may take, which with a weight is not waited for."""
    if what is None:
        return 0
    if not isinstance(what, TrackScript):
        return FIRST_LOOK_MS
    interval_ms = what.interval_ms or 1000
    return 0 if weight else interval_ms + (what.timeout_ms or interval_ms)
