"""Every field of the model that VRRP has is honoured, replaced or refused; none is overlooked."""

from __future__ import annotations

import pytest

from drctl.daemon import unsupported
from drctl.model.pair import Settings
from drctl.model.setting import VrrpDefaults
from drctl.model.vrrp import SyncGroup, VrrpInstance
from drctl.quickclass import fields

ALWAYS = {"name", "leftovers", "origins"}

HONOURED_OF_INSTANCE = {
    "state",
    "interface",
    "priority",
    "is_preempting",
    "preempt_delay_ms",
    "vips",
    "tracks",
    "hooks",
    "sends_mail",
    "garp_master_delay_s",
    "garp_master_refresh_repeat",
    "garp_master_refresh_s",
    "garp_master_repeat",
    # the adapter sets it where the kernel would take the director's own address along
    "promotes_secondaries",
    # a hook that a reload runs
    "notifies_deletion",
    # looked at one by one
    "accepts",
    "is_strict",
    "tracks_interface",
}
HONOURED_OF_DEFAULTS = {
    "default_interface",
    "garp_master_delay_s",
    "garp_master_refresh_repeat",
    "garp_master_refresh_s",
    "garp_master_repeat",
}
HONOURED_OF_SETTINGS = {
    "notification_emails",
    "notification_email_from",
    "smtp_server",
    "smtp_connect_timeout_s",
    "smtp_helo_name",
    "has_fault_mail",
    "fifo",
    "vrrp_fifo",
    "sends_mail",
    "vrrp_sends_mail",
    "router_id",
    "has_script_security",
    "script_user",
    # looked at one by one, or through their own objects
    "is_vrrp_strict",
    "vrrp",
    "packet_filter",
    "hooks",
}
OF_THE_CHECKS = {
    "checks_send_mail",
    "has_no_check_mail",
    "flushes_ipvs",
    "flushed_on_stop",
    "ipvs_timeouts",
    "logs_check_failures",
    "lvs_fifo",
    "notifies_first_state",
}


@pytest.mark.parametrize(
    ("kind", "tables", "honoured"),
    [
        (
            VrrpInstance,
            (unsupported.REPLACED_OF_INSTANCE, unsupported.REFUSED_OF_INSTANCE),
            HONOURED_OF_INSTANCE,
        ),
        (
            VrrpDefaults,
            (unsupported.REPLACED_OF_DEFAULTS, unsupported.REFUSED_OF_DEFAULTS),
            HONOURED_OF_DEFAULTS,
        ),
        (
            Settings,
            (unsupported.REPLACED_OF_SETTINGS, unsupported.REFUSED_OF_SETTINGS),
            HONOURED_OF_SETTINGS | OF_THE_CHECKS,
        ),
        (
            SyncGroup,
            (),
            {"members", "tracks", "hooks", "sends_mail", "notifies_priority", "tracks_with_weight"},
        ),
    ],
    ids=["instance", "defaults", "settings", "sync group"],
)
def test_every_field_is_honoured_replaced_or_refused(
    kind: type, tables: tuple[dict[str, str], ...], honoured: set[str]
) -> None:
    known = {one.name for one in fields(kind)} - ALWAYS
    listed = [name for table in tables for name in table] + sorted(honoured)
    assert sorted(listed) == sorted(known)
