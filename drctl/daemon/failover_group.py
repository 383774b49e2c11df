"""Groups of VIPs out of instances and sync groups, with what the shell does for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from drctl.core.value import Announcing, Group, Vip
from drctl.daemon.failover_vip import vip_of
from drctl.daemon.problem import Problem
from drctl.daemon.tracked import Tracked, Watch
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Hook
from drctl.model.vrrp import SyncGroup, VrrpInstance
from drctl.model.vrrp import Track as ModelTrack
from drctl.model.vrrp import Vip as ModelVip
from drctl.text.place import Place

LVS = "lvs"
"""The one group of an lvs.cf."""
MOST_GROUPS = 255
LONGEST_NAME_BYTES = 255
MOST_REPEATS = 100
"""Of an announcement."""


@dataclass(frozen=True, slots=True)
class GroupHook:
    """A notify script. `kind` (INSTANCE or GROUP) and `owner` are its first two arguments, as
    keepalived gives them; those of pulse get none (`kind` empty)."""

    kind: str
    owner: str
    hook: Hook


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail is sent: texts as in global_defs."""

    recipients: tuple[str, ...]
    sender: str | None = None
    server: str | None = None
    helo_name: str | None = None
    timeout_s: int = 30
    has_faults: bool = True
    router_id: str | None = None

    @classmethod
    def of(cls, configuration: Configuration) -> Mail | None:
        """None where nobody gets any."""
        given = configuration.settings
        if not given.notification_emails:
            return None
        return cls(
            given.notification_emails,
            given.notification_email_from,
            given.smtp_server,
            given.smtp_helo_name,
            given.smtp_connect_timeout_s or 30,
            given.has_fault_mail,
            given.router_id,
        )


@dataclass(frozen=True, slots=True)
class GroupParts:
    """A group, and what belongs to it outside the core. `mails` are the instances and sync groups
    of which changes are mailed; `owners` are all of them, by kind and name."""

    group: Group
    watches: tuple[Watch, ...]
    hooks: tuple[GroupHook, ...]
    mails: tuple[str, ...]
    owners: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    left_out: tuple[Problem, ...] = ()
    """VIPs that the group has already, otherwise."""
    vip_places: tuple[tuple[str, Place], ...] = ()

    def place_of(self, address: str) -> Place | None:
        """Where the VIP stands, or else the group."""
        return dict(self.vip_places).get(address, self.place)


def group_parts(
    configuration: Configuration, path: str, problems: list[Problem], *, is_lvs_cf: bool
) -> tuple[GroupParts, ...]:
    """All groups in the order of the file; what stands in their way goes to `problems`."""
    by_name = {one.name: one for one in configuration.instances}
    maker = _Maker(configuration, path, problems)
    taken: set[str] = set()
    found: list[GroupParts] = []
    if is_lvs_cf:
        if configuration.instances:
            sync = configuration.sync_groups[0] if configuration.sync_groups else None
            made = maker.make(LVS, configuration.instances, sync)
            return (replace(made, group=replace(made.group, is_preempting=False)),)
        return ()
    for sync in configuration.sync_groups:
        members = [by_name[name] for name in sync.members if name in by_name]
        members = [one for one in members if one.name not in taken]
        if members:
            taken.update(one.name for one in members)
            found.append(maker.make(sync.name, members, sync))
    alone = [one for one in configuration.instances if one.name not in taken]
    found += [maker.make(one.name, (one,), None) for one in alone]
    names = [one.group.name for one in found]
    twice = {name for name in names if names.count(name) > 1}
    problems += [Problem(path, 0, f"two groups are called {name}") for name in sorted(twice)]
    if len(found) > MOST_GROUPS:
        problems.append(Problem(path, 0, f"{len(found)} groups, at most {MOST_GROUPS}"))
    return tuple(one for one in found if one.group.vips)


class _Maker:
    def __init__(self, configuration: Configuration, path: str, problems: list[Problem]) -> None:
        self._of = configuration
        self._path = path
        self._problems = problems

    def make(
        self, name: str, members: Sequence[VrrpInstance], sync: SyncGroup | None
    ) -> GroupParts:
        """One group of these instances."""
        place = _place(sync if sync is not None else members[0])
        if len(name.encode()) > LONGEST_NAME_BYTES:
            self._refuse(place, f"the name of a group has at most {LONGEST_NAME_BYTES} bytes")
        vips = tuple(
            made
            for one in members
            for vip in one.vips
            if (made := self._vip(vip, self._interface(one))) is not None
        )
        left_out = self._left_out(members)
        vips = tuple({vip.address: vip for vip in reversed(vips)}.values())[::-1]
        cards = [card for one in members if (card := self._interface(one)) is not None]
        tracked = Tracked(self._of, self._refuse_track, members, sync)
        delays = [_preempt_delay_ms(one) for one in members]
        group = Group(
            name,
            vips,
            tuple(dict.fromkeys((*cards, *(vip.interface for vip in vips)))),
            min(one.priority for one in tracked.members),
            all(one.is_preempting or one.state == "MASTER" for one in members),
            max(delays),
            tracked.tracks,
            tracked.members if len(tracked.members) > 1 else (),
            self._announcing(members),
        )
        return GroupParts(
            group,
            tracked.watches,
            _hooks(members, sync),
            self._mails(members, sync),
            (
                *(("INSTANCE", one.name) for one in members),
                *((("GROUP", sync.name),) if sync is not None else ()),
            ),
            place=place,
            left_out=left_out,
            vip_places=_vip_places(members),
        )

    def _left_out(self, members: Sequence[VrrpInstance]) -> tuple[Problem, ...]:
        """Addresses that stand there again with another card or prefix: a group holds each once."""
        from drctl.units import ip_address

        first: dict[str, str] = {}
        found = []
        for one in members:
            for vip in one.vips:
                address = ip_address(vip.address) or vip.address
                bits = 128 if ":" in address else 32
                prefix = bits if vip.prefix is None else vip.prefix
                where = f"{address}/{prefix} on {vip.device or self._interface(one)}"
                held = first.setdefault(address, where)
                place = next(iter(vip.origins.values()), (None,))[0]
                if held != where and place is not None:
                    reason = f"{where}: the group has that address already, as {held}"
                    found.append(Problem(place.path, place.line, reason))
        return tuple(found)

    def _refuse(self, place: Place | None, reason: str) -> None:
        if place is None:
            self._problems.append(Problem(self._path, 0, reason))
        else:
            self._problems.append(Problem(place.path, place.line, reason))

    def _refuse_track(self, track: ModelTrack, reason: str) -> None:
        self._refuse(_place(track), reason)

    def _interface(self, instance: VrrpInstance) -> str | None:
        defaults = self._of.settings.vrrp
        return instance.interface or (defaults.default_interface if defaults else None)

    def _vip(self, vip: ModelVip, card: str | None) -> Vip | None:
        try:
            return vip_of(vip, card)
        except ValueError as reason:
            self._refuse(next(iter(vip.origins.values()), (None,))[0], str(reason))
            return None

    def _mails(self, members: Sequence[VrrpInstance], sync: SyncGroup | None) -> tuple[str, ...]:
        settings = self._of.settings
        default = settings.vrrp_sends_mail
        if default is None:
            default = settings.sends_mail
        owners: list[VrrpInstance | SyncGroup] = [*members, *([sync] if sync else [])]
        return tuple(
            one.name
            for one in owners
            if (bool(default) if one.sends_mail is None else one.sends_mail)
        )

    def _announcing(self, members: Sequence[VrrpInstance]) -> Announcing:
        """Of a sync group's members that differ the most, and the most often."""

        def value(instance: VrrpInstance, name: str, default: int) -> int:
            own: int | None = getattr(instance, name)
            if own is not None:
                return own
            shared: int | None = getattr(self._of.settings.vrrp, name, None)
            return default if shared is None else shared

        refresh = [value(one, "garp_master_refresh_s", 0) for one in members]
        usual = Announcing()
        return Announcing(
            count=_repeats(value(one, "garp_master_repeat", usual.count) for one in members),
            again_ms=max(
                value(one, "garp_master_delay_s", usual.again_ms // 1000) * 1000 for one in members
            ),
            refresh_ms=1000 * min((one for one in refresh if one), default=0),
            refresh_count=_repeats(
                value(one, "garp_master_refresh_repeat", usual.refresh_count) for one in members
            ),
        )


def _repeats(given: Iterable[int]) -> int:
    """keepalived takes 0 for 1."""
    return min(max(1, *given), MOST_REPEATS)


def _vip_places(members: Sequence[VrrpInstance]) -> tuple[tuple[str, Place], ...]:
    from drctl.units import ip_address

    found: dict[str, Place] = {}
    for one in members:
        for vip in one.vips:
            place = next(iter(vip.origins.values()), (None,))[0]
            if place is not None:
                found.setdefault(ip_address(vip.address) or vip.address, place)
    return tuple(found.items())


def _preempt_delay_ms(instance: VrrpInstance) -> int:
    """keepalived clears it for an instance that begins as MASTER."""
    return 0 if instance.state == "MASTER" else instance.preempt_delay_ms or 0


def _hooks(members: Sequence[VrrpInstance], sync: SyncGroup | None) -> tuple[GroupHook, ...]:
    found = [GroupHook("INSTANCE", one.name, hook) for one in members for hook in one.hooks]
    if sync is not None:
        found += [GroupHook("GROUP", sync.name, hook) for hook in sync.hooks]
    return tuple(found)


def _place(owner: VrrpInstance | SyncGroup | ModelTrack) -> Place | None:
    places = owner.origins.get(SELF) or next(iter(owner.origins.values()), ())
    return places[0] if places else None
