"""What routers say of their side of the sessions, from answers that real ones gave.

`*.odd` are of routers that were set up to have one of everything: a password, multihop or TTL security,
limits, filters, BFD, no graceful restart (FRR 8.4.4, BIRD 2.0.12, GoBGP 3.10.0, OpenBGPD 7.7).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.doctor.facts import Bfd, Channel, Limit, Side
from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.witness import bird_neighbors, frr_neighbors, gobgp_neighbors, openbgpd_neighbors
from bgpctl.witness.bird import split_replies
from bgpctl.witness.exabgp import ExabgpProbe
from bgpctl.witness.neighbors import ask_neighbors
from bgpctl.witness.probe import parse_probe

DATA = Path(__file__).parent / "data" / "witness"
ONE, OTHER = "127.0.0.78", "127.0.0.79"


def told(kind: str, name: str) -> Any:
    return json.loads((DATA / kind / name).read_text())


def bird(name: str) -> dict[str, Side]:
    text = (DATA / "bird" / name).read_text()
    sides = [s for reply in split_replies(text) for s in bird_neighbors.read("bird x", reply)]
    return {side.address: side for side in sides}


def frr(name: str) -> dict[str, Side]:
    return {side.address: side for side in frr_neighbors.read("frr x", told("frr", name))}


def gobgp(name: str, policy: Any = None) -> dict[str, Side]:
    sides = gobgp_neighbors.read("gobgp x", told("gobgp", name), Foreign.of(policy or {}))
    return {side.address: side for side in sides}


def openbgpd(name: str) -> dict[str, Side]:
    return {side.address: side for side in openbgpd_neighbors.read("openbgpd x", told("openbgpd", name))}


@pytest.mark.parametrize("kind", ["bird", "frr", "gobgp", "openbgpd"])
def test_an_answer_that_is_not_understood_costs_that_router(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(router: str, target: str) -> Any:
        assert (router, target) == (f"{kind} /run/x", "/run/x")
        raise Unreadable("routes must be a list")

    drivers = {"bird": bird_neighbors, "frr": frr_neighbors, "gobgp": gobgp_neighbors}
    monkeypatch.setattr(drivers.get(kind, openbgpd_neighbors), "ask", ask)
    report = ask_neighbors(replace(parse_probe("bird=/run/x@192.0.2.1"), kind=kind))  # type: ignore[type-var]
    assert report.problem == "its answer cannot be read: routes must be a list"
    assert (report.router, report.peer, report.sides) == (f"{kind} /run/x", "192.0.2.1", ())


def test_frr_tells_nearly_everything() -> None:
    side = frr("neighbor.live")["127.0.1.1"]
    assert side == Side(
        "frr x",
        "127.0.1.1",
        local="127.0.0.10",
        session="established",
        asn=65001,
        local_asn=65000,
        graceful=True,
        stale_cap=360.0,
        hold_time=90,
        hops=1,
        password=False,
        bfd_told=True,
        channels=(Channel(IPV4, accepted=2, filter=""), Channel(IPV6, accepted=1, filter="")),
    )
    found = frr("neighbors.odd")
    assert found[ONE].password and not found[OTHER].password
    assert found[ONE].graceful and found[OTHER].graceful is False
    assert (found[ONE].hops, found[OTHER].hops) == (1, 3)
    assert found[OTHER].bfd == Bfd(False, 0.9) and found[ONE].bfd is None
    (one,), (other,) = found[ONE].channels, found[OTHER].channels
    assert one.limit == Limit(12) and one.discards.startswith("Inbound updates discarded")
    assert other.limit == Limit(12, warns=True)
    assert other.filter == "nope, rm" and other.discards == ""


def test_frr_tells_by_which_paths_it_forwards() -> None:
    path = {"valid": True, "peerId": "192.0.2.11", "bestpath": True, "multipath": True}
    second = {**path, "peerId": "192.0.2.12", "bestpath": False}
    unused = {"valid": True, "peerId": "192.0.2.13"}
    table = {
        "routes": {"10.0.0.1/32": [path, second, unused, {**unused, "stale": True}], "10.0.0.2/32": [path]}
    }
    (crowd,) = frr_neighbors.crowds("frr x", table)
    assert crowd.paths == (("192.0.2.11", True), ("192.0.2.12", True), ("192.0.2.13", False))
    (single,) = frr_neighbors.crowds("frr x", told("frr", "table4.live"))  # recorded without multipath
    assert single.paths == (("127.0.1.2", False), ("127.0.1.1", True))


def test_bird() -> None:
    side = bird("protocols.live")["127.0.1.1"]
    assert (side.session, side.asn, side.local_asn, side.local) == ("established", 65001, 65000, "127.0.0.10")
    assert side.graceful is True and side.long_lived is True
    assert side.channels == (
        Channel(IPV4, accepted=2, received=2, filter=""),
        Channel(IPV6, accepted=1, received=1, filter=""),
    )
    found = bird("protocols.odd")
    assert found[ONE].graceful is None and not found[ONE].up, "a session that is down tells no capability"
    assert found[ONE].channels == (Channel(IPV4, filter="mine", limit=Limit(10)),)
    assert found[OTHER].channels == (
        Channel(IPV4, filter="", limit=Limit(10, warns=True), discards="its import filter is REJECT"),
    )
    assert found[ONE].password is None and not found[ONE].bfd_told


def test_bird_counts_what_it_filters_only_where_it_can_be_told() -> None:
    lines = ["Channel ipv4", "Routes:         2 imported, 0 exported", "Input filter:   mine"]
    kept = [*lines[:1], "Routes:         2 imported, 3 filtered, 0 exported", *lines[2:]]
    some = [*lines, "Import updates:              5          0          3          0          2"]
    assert [c.received for c in bird_neighbors._channels([lines, kept, some])] == [None, 5, None]


def test_gobgp() -> None:
    side = gobgp("neighbors.live")["127.0.1.1"]
    assert (side.session, side.asn, side.local_asn, side.hold_time) == ("established", 65001, 65000, 90)
    assert side.graceful is True and side.password is False and side.hops == 1 and side.gtsm is False
    assert side.channels[0] == Channel(IPV4, accepted=2, received=2, filter="")
    found = gobgp("neighbors.odd", told("gobgp", "policy.odd"))[ONE]
    assert found.password is True and found.hops == 3 and found.graceful is False
    assert found.channels[0].limit == Limit(10)
    assert found.channels[0].discards == "its import policy rejects everything"
    assert found.channels[0].received is None, "of a session that is down a zero would be a guess"
    assert "x" not in repr(found.password)


def test_openbgpd() -> None:
    side = openbgpd("neighbor.live")["127.0.1.1"]
    assert (side.session, side.asn, side.local, side.hops) == ("established", 65001, "127.0.0.10", 2)
    assert side.graceful is True and side.gtsm is False and side.local_asn is None
    assert [channel.family for channel in side.channels] == [IPV4, IPV6]
    found = openbgpd("neighbors.odd")
    assert found[ONE].hops == 3 and found[ONE].channels[0].limit == Limit(10)
    assert found[OTHER].gtsm is True and found[OTHER].graceful is False
    assert found[ONE].password is None, "bgpctl of OpenBGPD does not tell"


@pytest.mark.parametrize("kind", ["bird", "frr", "gobgp", "openbgpd"])
def test_one_that_cannot_be_asked_says_why(kind: str, tmp_path: Path) -> None:
    where = "127.0.0.1:1" if kind == "gobgp" else str(tmp_path / "none")
    report = ask_neighbors(parse_probe(f"{kind}={where}@192.0.2.1"))
    assert report.problem and report.sides == () and report.peer == "192.0.2.1"


def test_the_receiver_of_the_lab_has_no_side_to_tell() -> None:
    assert "does not tell" in ask_neighbors(ExabgpProbe("/x")).problem


def test_nonsense_is_refused_with_its_place() -> None:
    with pytest.raises(Unreadable, match="bgpState"):
        list(frr_neighbors.read("frr x", {"192.0.2.1": {"bgpState": 7}}))
