"""Values in keepalived's syntax: what is quoted, what is refused, what a template may print."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keepalived_case import model_of, rendered

from drctl.errors import UnsafeValue
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover
from drctl.model.pair import Hook, Settings
from drctl.model.service import RealServer, VirtualService
from drctl.model.vrrp import Authentication, TrackScript, VrrpInstance
from drctl.render.environment import word
from drctl.render.keepalived import keepalived_file
from drctl.render.keepalived_word import argument, command, comment, seconds
from drctl.render.options import RenderOptions
from drctl.render.trusted import refuse_line
from drctl.text.place import Place

PLACE = Place("lb1.conf", 3, 5, 3, 20)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("eth0", "eth0"),
        ("pa#ss", '"pa#ss"'),
        ("two words", '"two words"'),
        ("a{b}", '"a{b}"'),
        ("", '""'),
        ("$HOST", "$HOST"),
        ("${HOST}-1", "${HOST}-1"),
        ("it's", "it's"),
        (51, "51"),
    ],
)
def test_argument_is_quoted_only_where_keepalived_needs_it(value: object, written: str) -> None:
    assert argument(value) == written


def test_argument_with_double_quote_is_refused() -> None:
    with pytest.raises(UnsafeValue, match="double quote"):
        argument('a"b')


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("/bin/x a", '"/bin/x a"'),
        ("/bin/sh -c 'a; b'", "\"/bin/sh -c 'a; b'\""),
        (r"/bin/x \n", r'"/bin/x \\n"'),
        ('/bin/x "a b"', r'"/bin/x \"a b\""'),
    ],
)
def test_command_keeps_its_meaning_after_one_unescaping(value: str, written: str) -> None:
    assert command(value) == written


@pytest.mark.parametrize("value", ['/bin/x "a', '/bin/x "a#b"', '/bin/x "{}"'])
def test_command_that_keepalived_would_cut_is_refused(value: str) -> None:
    with pytest.raises(UnsafeValue, match="double quotes"):
        command(value)


@pytest.mark.parametrize(("ms", "written"), [(6000, "6"), (1500, "1.5"), (10, "0.01"), (0, "0")])
def test_seconds_have_no_needless_digits(ms: int, written: str) -> None:
    assert seconds(ms) == written


def test_comment_cannot_end_its_line_or_look_like_a_template() -> None:
    assert comment("a\nb{{ c }}\x1b[0m") == "a_b__ c ___[0m"


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b", "a\x1bb", "a\u2028b", "a\ue000b"])
def test_refuse_line_takes_nothing_that_leaves_its_line(bad: str) -> None:
    with pytest.raises(UnsafeValue, match="break out"):
        refuse_line(bad)


@pytest.mark.parametrize("bad", ["a b", "a;b", "$(x)", "a'b", "", "a\n"])
def test_word_takes_one_bare_word_only(bad: str) -> None:
    with pytest.raises(UnsafeValue, match="single word"):
        word(bad)


EVIL = "x\n}\nglobal_defs {\n  startup_script /bin/evil\n}"


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(settings=Settings(router_id=EVIL)),
        Configuration(instances=(VrrpInstance(EVIL),)),
        Configuration(instances=(VrrpInstance("a", interface=EVIL),)),
        Configuration(
            instances=(VrrpInstance("a", authentication=Authentication("PASS", EVIL)),),
        ),
        Configuration(scripts=(TrackScript("a", EVIL),)),
        Configuration(instances=(VrrpInstance("a", hooks=(Hook("master", EVIL),)),)),
        Configuration(services=(VirtualService(EVIL, 80),)),
        Configuration(
            services=(VirtualService("192.0.2.1", 80, real_servers=(RealServer(EVIL),)),)
        ),
        Configuration(leftovers=(Leftover("x \x1b[2J"),)),
    ],
    ids=("router", "name", "interface", "password", "script", "hook", "vip", "server", "leftover"),
)
def test_keepalived_file_refuses_a_value_that_breaks_out(configuration: Configuration) -> None:
    with pytest.raises(UnsafeValue):
        rendered(configuration)


def test_keepalived_file_of_a_hostile_source_name_has_two_comment_lines_only() -> None:
    text = rendered(Configuration(), "a\nglobal_defs {{ x }}")
    assert [line[:1] for line in text.rstrip("\n").split("\n")] == ["#", "#"]
    assert model_of(text) == Configuration()


def test_keepalived_file_with_password_is_for_root_only() -> None:
    instance = VrrpInstance("a", authentication=Authentication("PASS", "secret"))
    with_password, _ = keepalived_file(Configuration(instances=(instance,)), RenderOptions("x"))
    without, _ = keepalived_file(
        Configuration(instances=(replace(instance, authentication=None),)), RenderOptions("x")
    )
    assert (with_password.mode, without.mode) == (0o600, 0o644)


def test_keepalived_file_line_carries_the_places_of_its_field() -> None:
    instance = VrrpInstance("a", priority=7, origins={"priority": (PLACE,)})
    file, _ = keepalived_file(Configuration(instances=(instance,)), RenderOptions("lb1.conf"))
    lines = file.text.split("\n")
    assert {lines[number - 1]: places for number, places in file.origins.items()} == {
        "    priority 7": (PLACE,)
    }


def test_keepalived_file_of_inactive_service_is_not_live() -> None:
    server = RealServer("192.0.2.9", 80, name="web1")
    off = VirtualService("192.0.2.1", 80, name="off", is_active=False, real_servers=(server,))
    resting = replace(server, is_active=False)
    on = VirtualService("192.0.2.2", 80, name="on", real_servers=(server, resting))
    text = rendered(Configuration(services=(off, on)))
    assert "192.0.2.1" not in text
    assert text.count("real_server 192.0.2.9 80") == 1


def test_keepalived_file_of_named_service_without_servers_is_a_loss() -> None:
    service = VirtualService("192.0.2.1", 80, name="web", origins={SELF: (PLACE,)})
    file, losses = keepalived_file(Configuration(services=(service,)), RenderOptions("x"))
    assert "virtual_server" not in file.text
    assert [(loss.feature, loss.places) for loss in losses] == [
        ("service.without-servers", (PLACE,))
    ]


def test_keepalived_file_of_unclosed_block_is_closed() -> None:
    model = model_of("vrrp_instance A {\n  priority 7\n  odd {\n    x 1\n")
    text = rendered(model)
    assert text.count("{") == text.count("}")
    assert model_of(text) == model


def test_keepalived_file_keeps_definitions_before_their_uses() -> None:
    source = "$IF=eth0\nvrrp_instance A {\n    interface $IF\n    priority 7\n}\ninclude x/*.conf\n"
    model = model_of(source)
    text = rendered(model)
    assert text.index("$IF=eth0") < text.index("interface $IF")
    assert "include x/*.conf\n" in text
    assert model_of(text) == model
