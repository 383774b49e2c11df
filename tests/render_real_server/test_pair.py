"""A pair and its real servers as one set of folders."""

from __future__ import annotations

import pytest

from drctl.model.configuration import Configuration
from drctl.model.service import DIRECT, Forwarding, RealServer, VirtualService
from drctl.model.vrrp import UnicastPeer, Vip, VrrpInstance
from drctl.render.host import Names
from drctl.render.options import RenderOptions
from drctl.render.pair import merged, render_pair
from drctl.render.rendered import Loss, RenderedFile, Rendering, Stage, Step

ENDS = ("192.0.2.1", "192.0.2.2")


def view(own: str, peer: str, *servers: str) -> Configuration:
    instance = VrrpInstance(
        "web",
        state="BACKUP",
        interface="eth0",
        virtual_router_id=10,
        priority=100,
        unicast_source=own,
        unicast_peers=(UnicastPeer(peer),),
        vips=(Vip("192.0.2.10", 24),),
    )
    service = VirtualService(
        address="192.0.2.10",
        port=80,
        protocol="tcp",
        scheduler="rr",
        forwarding=Forwarding(DIRECT),
        real_servers=tuple(RealServer(server, 80) for server in servers),
    )
    return Configuration(instances=(instance,), services=(service,))


def pair(*servers: str, options: RenderOptions | None = None) -> dict[str, Rendering]:
    primary, backup = view(*ENDS, *servers), view(*reversed(ENDS), *servers)
    names = Names("lb1", "lb2", {"192.0.2.21": "web1"})
    made = render_pair(primary, backup, names, options or RenderOptions("lvs.cf"))
    assert made == render_pair(primary, backup, names, options or RenderOptions("lvs.cf"))
    return {rendering.host: rendering for rendering in made}


def test_pair_has_a_folder_for_each_machine_with_installers() -> None:
    made = pair("192.0.2.21", "192.0.2.22")
    assert list(made) == ["lb1", "lb2", "192.0.2.22", "web1"]
    for rendering in made.values():
        assert [file.path for file in rendering.installers] == ["install.sh", "uninstall.sh"]
        assert rendering.role


def test_pair_director_that_is_a_real_server_has_both_sides_in_one_folder() -> None:
    made = pair("192.0.2.21", *ENDS)
    assert list(made) == ["lb1", "lb2", "web1"]
    files = {file.path: file.text for file in made["lb2"].files}
    assert "/etc/keepalived/keepalived.conf" in files
    assert "dnat to 192.0.2.2\n" in files["/etc/drctl/standby.nft"]
    stages = [step.stage for step in made["lb2"].steps]
    assert stages == sorted(stages)
    paths = list(files)
    assert paths == sorted(paths)


def test_merged_takes_equal_files_steps_and_losses_once() -> None:
    file, step, loss = RenderedFile("/etc/a", "x\n"), Step(Stage.RULES, "t", "a"), Loss("f", "m")
    one = Rendering("h", (file,), (loss,), (step,), "director")
    other = Rendering("h", (file, RenderedFile("/etc/A", "y\n")), (loss,), (step,), "both")
    found = merged(one, other)
    assert [f.path for f in found.files] == ["/etc/A", "/etc/a"]
    assert (found.losses, found.steps, found.role) == ((loss,), (step,), "both")


@pytest.mark.parametrize(
    "other", [RenderedFile("/etc/a", "y\n"), RenderedFile("/etc/a", "x\n", 0o600)]
)
def test_merged_same_path_rendered_in_two_ways_is_our_mistake(other: RenderedFile) -> None:
    one = Rendering("h", (RenderedFile("/etc/a", "x\n"),))
    with pytest.raises(AssertionError, match="rendered in two ways"):
        merged(one, Rendering("h", (other,)))
