"""Each field of a router's side of a session: where it is read from, and what it is where nobody says."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.doctor.facts import Bfd, Channel, Crowd, Limit, Side
from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.witness import (
    asking,
    bird_neighbors,
    frr_neighbors,
    gobgp_neighbors,
    neighbors,
    openbgpd_neighbors,
)
from bgpctl.witness.bird import Reply
from bgpctl.witness.command import _last_line
from bgpctl.witness.neighbors import RouterReport, ask_neighbors
from bgpctl.witness.probe import parse_probe

ROUTER = "x /run/x"
HERE = "192.0.2.11"


class Client:
    """A client program that answers from a table, by its words."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def ask(self, *words: str) -> Any:
        return self.answers[" ".join(words)]


# --- GoBGP --------------------------------------------------------------------------------------------------


def family(afi: int, safi: int = 1, **more: Any) -> dict[str, Any]:
    return {"config": {"family": {"afi": afi, "safi": safi}}, **more}


GOBGP = {
    "conf": {"peer_asn": 65001, "local_asn": 65000, "auth_password": "x"},
    "state": {"neighbor_address": HERE, "session_state": 6, "peer_asn": 64999},
    "transport": {"local_address": "192.0.2.1"},
    "timers": {"config": {"hold_time": 90}},
    "graceful_restart": {"enabled": True},
    "ebgp_multihop": {"enabled": True, "multihop_ttl": 3},
    "ttl_security": {"enabled": True},
    "afi_safis": [
        family(1, state={"accepted": 2, "received": 5}, prefix_limits={"max_prefixes": 10}),
        family(2),
        family(2, 128),
        family(1, 133),
    ],
}


def gobgp(view: Any, policy: Any = None) -> Side:
    (side,) = gobgp_neighbors.read(ROUTER, [view], Foreign(policy or {}))
    return side


def test_gobgp_whole() -> None:
    assert gobgp(GOBGP) == Side(
        ROUTER,
        HERE,
        local="192.0.2.1",
        session="established",
        asn=65001,
        local_asn=65000,
        graceful=True,
        hold_time=90,
        hops=3,
        gtsm=True,
        password=True,
        channels=(
            Channel(IPV4, accepted=2, received=5, filter="", limit=Limit(10)),
            Channel(IPV6, accepted=0, received=0, filter=""),
        ),
    )


def test_gobgp_bare() -> None:
    """Protobuf leaves out what is false or zero."""
    bare = Side(ROUTER, "", session="unknown", graceful=False, hops=1, gtsm=False, password=False)
    assert gobgp({}) == bare
    assert list(gobgp_neighbors.read(ROUTER, None, Foreign({}))) == []


@pytest.mark.parametrize(
    ("conf", "state", "asn"),
    [({"peer_asn": 1}, {}, 1), ({}, {"peer_asn": 2}, 2), ({"peer_asn": 1}, {"peer_asn": 2}, 1)],
)
def test_gobgp_of_a_dynamic_neighbor_the_as_number_is_in_its_state(conf: Any, state: Any, asn: int) -> None:
    assert gobgp({"conf": conf, "state": state}).asn == asn


@pytest.mark.parametrize(
    ("multihop", "hops"),
    [
        ({"enabled": True, "multihop_ttl": 7}, 7),
        ({"enabled": True}, 255),
        ({"multihop_ttl": 7}, 1),
        ({}, 1),
    ],
)
def test_gobgp_how_far_away_a_neighbor_may_be(multihop: Any, hops: int) -> None:
    assert gobgp({"ebgp_multihop": multihop}).hops == hops


REJECTS = "its import policy rejects everything"


@pytest.mark.parametrize(
    ("policy", "named", "discards"),
    [
        ({}, "", ""),
        ({"default_action": 1}, "", ""),
        ({"default_action": 2}, "", REJECTS),
        ({"policies": [{"name": "a"}, {}, {"name": "b"}]}, "a, b", ""),
        ({"policies": [{"name": "a"}], "default_action": 2}, "a", ""),
    ],
)
def test_gobgp_what_its_import_policy_does(policy: Any, named: str, discards: str) -> None:
    """Where a policy is named that may accept something, nobody says that nothing is."""
    (one, _) = gobgp(GOBGP, policy).channels
    assert (one.filter, one.discards) == (named, discards)


def test_gobgp_is_asked_three_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"global policy import -j": {"default_action": 2}, "neighbor -j": [GOBGP]}
    monkeypatch.setattr(gobgp_neighbors.GobgpProbe, "client_of", lambda self: Client(answers))
    sides, crowds = gobgp_neighbors.ask(ROUTER, "192.0.2.9:50051")
    assert crowds is None and [side.channels[0].discards for side in sides] == [REJECTS]


# --- OpenBGPD -----------------------------------------------------------------------------------------------

OPENBGPD = {
    "remote_addr": HERE,
    "remote_as": "65001",
    "state": "Established",
    "session": {"local": {"address": "192.0.2.1"}},
    "config": {
        "holdtime": 90,
        "multihop": True,
        "multihop_distance": 3,
        "ttl_security": True,
        "max_prefix": 10,
        "capabilities": {
            "graceful_restart": {},
            "multiprotocol": ["IPv4 unicast", "IPv6 unicast", "IPv4 vpn"],
        },
    },
}


def openbgpd(**change: Any) -> Side:
    config = change.pop("config", {})
    view = {**OPENBGPD, "config": {**OPENBGPD["config"], **config}, **change}  # type: ignore[dict-item]
    (side,) = openbgpd_neighbors.read(ROUTER, {"neighbors": [view]})
    return side


def test_openbgpd_whole() -> None:
    assert openbgpd() == Side(
        ROUTER,
        HERE,
        local="192.0.2.1",
        session="established",
        asn=65001,
        graceful=True,
        hold_time=90,
        hops=3,
        gtsm=True,
        channels=(Channel(IPV4, limit=Limit(10)), Channel(IPV6, limit=Limit(10))),
    )


def test_openbgpd_bare() -> None:
    bare = Side(ROUTER, "", hops=1)
    assert list(openbgpd_neighbors.read(ROUTER, {"neighbors": [{}]})) == [bare]
    assert list(openbgpd_neighbors.read(ROUTER, {})) == []


@pytest.mark.parametrize(
    ("config", "attribute", "value"),
    [
        ({"multihop": False}, "hops", 1),
        ({"multihop_distance": None}, "hops", 1),
        ({"holdtime": 0}, "hold_time", None),
        ({"ttl_security": False}, "gtsm", False),
        ({"ttl_security": None}, "gtsm", None),
        ({"capabilities": {}}, "graceful", False),
        ({"capabilities": None}, "graceful", None),
        (
            {"capabilities": {"multiprotocol": ["IPv4 unicast"]}, "max_prefix": 0},
            "channels",
            (Channel(IPV4),),
        ),
    ],
)
def test_openbgpd_where_something_is_not_said(config: Any, attribute: str, value: Any) -> None:
    assert getattr(openbgpd(config=config), attribute) == value


@pytest.mark.parametrize(
    ("text", "asn"),
    [("4294967295", 4294967295), ("", None), ("1.5", None), ("x", None), ("²", None), ("1" * 11, None)],
)
def test_openbgpd_an_as_number_is_digits(text: str, asn: int | None) -> None:
    assert openbgpd(remote_as=text).asn == asn


def test_openbgpd_a_template_is_no_neighbor() -> None:
    views = [{**OPENBGPD, "config": {"template": True}}, OPENBGPD]
    assert len(list(openbgpd_neighbors.read(ROUTER, {"neighbors": views}))) == 1


def test_openbgpd_is_asked_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client({"neighbor": {"neighbors": [OPENBGPD]}})
    monkeypatch.setattr(openbgpd_neighbors.OpenbgpdProbe, "client_of", lambda self: client)
    (side,), crowds = openbgpd_neighbors.ask(ROUTER, "/run/x")
    assert side == openbgpd() and crowds is None


# --- BIRD ---------------------------------------------------------------------------------------------------


def bird(*lines: str) -> Side:
    reply = Reply(0, ((1002, "tor  BGP  ---  up  10:00"), *((1006, f"  {line}") for line in lines), (0, "")))
    (side,) = bird_neighbors.read(ROUTER, reply)
    return side


SESSION = (
    "BGP state:          Established",
    f"Neighbor address: {HERE}%eth0",
    "Neighbor AS:      65001",
    "Local AS:         65000",
)
CAPABILITIES = ("Local capabilities", "Multiprotocol", "Graceful restart", "Long-lived graceful restart")


def test_bird_whole() -> None:
    side = bird(
        *SESSION,
        *CAPABILITIES,
        "Neighbor capabilities",
        "Session:          external",
        "Source address:   192.0.2.1%eth0",
        "Channel ipv4",
        "Input filter:   mine",
        "Receive limit:  10",
        "Action: disable",
        "Import limit:   20",
        "Action: warn",
        "Routes:         2 imported, 1 filtered, 0 exported",
        "Channel ipv4-mpls",
        "Routes:         9 imported",
        "Channel ipv6",
        "Input filter:   ACCEPT",
        "Import limit:   5",
        "Action: warn",
    )
    assert side == Side(
        ROUTER,
        HERE,
        local="192.0.2.1",
        session="established",
        asn=65001,
        local_asn=65000,
        graceful=True,
        long_lived=True,
        channels=(
            Channel(IPV4, accepted=2, received=3, filter="mine", limit=Limit(10)),
            Channel(IPV6, filter="", limit=Limit(5, warns=True)),
        ),
    )


@pytest.mark.parametrize(
    ("lines", "graceful", "long_lived"),
    [
        ((), None, None),
        (("Neighbor capabilities", "Graceful restart"), None, None),
        (("Local capabilities", "Multiprotocol", "Neighbor capabilities", "Graceful restart"), False, False),
        (("Local capabilities", "Multiprotocol", "Session: external", "Graceful restart"), False, False),
        (("Local capabilities", "Multiprotocol", "Graceful restart"), True, False),
        (("Local capabilities",), None, None),
    ],
)
def test_bird_what_it_offers_is_below_its_own_head(
    lines: tuple[str, ...], graceful: bool | None, long_lived: bool | None
) -> None:
    side = bird(*SESSION, *lines)
    assert (side.graceful, side.long_lived) == (graceful, long_lived)


UPDATES = "Import updates:              {}          {}          {}          0          2"


@pytest.mark.parametrize(
    ("routes", "updates", "accepted", "received"),
    [
        ("2 imported, 0 exported", UPDATES.format(5, 0, 0), 2, 2),
        ("2 imported, 0 exported", UPDATES.format(5, 1, 0), 2, None),
        ("2 imported, 0 exported", UPDATES.format(5, 0, 1), 2, None),
        ("2 imported, 0 exported", "Import updates: 5 0", 2, None),
        ("2 imported, 0 exported", "Import updates: 5 0 0", 2, 2),
        ("2 imported, 0 exported", "Import withdraws: 5 0 0", 2, None),
        ("2 imported, 3 filtered, 0 exported", UPDATES.format(5, 1, 0), 2, 5),
        ("0 exported, 3 filtered", UPDATES.format(5, 0, 0), None, None),
    ],
)
def test_bird_how_many_came_in(routes: str, updates: str, accepted: int | None, received: int | None) -> None:
    (one,) = bird(*SESSION, "Channel ipv4", f"Routes: {routes}", updates).channels
    assert (one.accepted, one.received) == (accepted, received)


@pytest.mark.parametrize(
    ("named", "filtering", "discards"),
    [("ACCEPT", "", ""), ("REJECT", "", "its import filter is REJECT"), ("mine", "mine", "")],
)
def test_bird_what_its_filter_does(named: str, filtering: str, discards: str) -> None:
    (one,) = bird(*SESSION, "Channel ipv6", f"Input filter: {named}").channels
    assert (one.filter, one.discards) == (filtering, discards)


# --- FRR ----------------------------------------------------------------------------------------------------

FRR: dict[str, Any] = {
    "hostLocal": "192.0.2.1",
    "bgpState": "Established",
    "remoteAs": 65001,
    "localAs": 65000,
    "bgpTimerConfiguredHoldTimeMsecs": 90_000,
    "externalBgpNbrMaxHopsAway": 2,
    "authenticationEnabled": 1,
    "gracefulRestartInfo": {
        "localGrMode": "Helper*",
        "ipv4Unicast": {"timers": {"stalePathTimer": 360}},
        "ipv6Unicast": {"timers": {"stalePathTimer": 120}},
    },
    "peerBfdInfo": {"status": "Up", "detectMultiplier": 3, "rxMinInterval": 300},
    "addressFamilyInfo": {
        "ipv4Unicast": {
            "acceptedPrefixCounter": 2,
            "incomingUpdatePrefixFilterList": "a",
            "incomingUpdateNetworkFilterList": "b",
            "incomingUpdateAsPathFilterList": "c",
            "routeMapForIncomingAdvertisements": "d",
            "prefixAllowedMax": 10,
            "prefixAllowedMaxWarning": True,
        },
        "ipv6Unicast": {"inboundEbgpRequiresPolicy": "Inbound updates discarded due to missing policy"},
        "l2VpnEvpn": {"acceptedPrefixCounter": 7},
    },
}


def frr(**change: Any) -> Side:
    told = {HERE: {**FRR, **change}, "vrfId": 0, "vrfName": "default"}
    (side,) = frr_neighbors.read(ROUTER, told)
    return side


def test_frr_whole() -> None:
    assert frr() == Side(
        ROUTER,
        HERE,
        local="192.0.2.1",
        session="established",
        asn=65001,
        local_asn=65000,
        graceful=True,
        stale_cap=120.0,
        hold_time=90,
        hops=2,
        password=True,
        bfd=Bfd(True, 0.9),
        bfd_told=True,
        channels=(
            Channel(IPV4, accepted=2, filter="a, b, c, d", limit=Limit(10, warns=True)),
            Channel(IPV6, filter="", discards="Inbound updates discarded due to missing policy"),
        ),
    )


def test_frr_bare() -> None:
    bare = Side(ROUTER, HERE, password=False, bfd_told=True)
    assert list(frr_neighbors.read(ROUTER, {HERE: {}})) == [bare]
    assert list(frr_neighbors.read(ROUTER, {})) == []


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        ({"hostLocal": "Unknown"}, "local", ""),
        ({"gracefulRestartInfo": {"localGrMode": "Restart"}}, "graceful", True),
        ({"gracefulRestartInfo": {"localGrMode": "Disable*"}}, "graceful", False),
        ({"gracefulRestartInfo": {"localGrMode": "NotApplicable"}}, "graceful", False),
        ({"gracefulRestartInfo": {"localGrMode": ""}}, "graceful", None),
        ({"gracefulRestartInfo": {"ipv6Unicast": {"timers": {"stalePathTimer": 0}}}}, "stale_cap", 0.0),
        ({"bgpTimerConfiguredHoldTimeMsecs": 0}, "hold_time", 0),
        ({"bgpTimerConfiguredHoldTimeMsecs": 1999}, "hold_time", 1),
        ({"authenticationEnabled": 0}, "password", False),
        (
            {"peerBfdInfo": {"status": "Down", "detectMultiplier": 3, "rxMinInterval": 300}},
            "bfd",
            Bfd(False, 0.9),
        ),
        ({"peerBfdInfo": {"status": "Up"}}, "bfd", Bfd(True, None)),
    ],
)
def test_frr_where_something_is_otherwise(change: Any, attribute: str, value: Any) -> None:
    assert getattr(frr(**change), attribute) == value


class Vty(Client):
    def __enter__(self) -> Vty:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_frr_is_asked_for_both_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [{"valid": True, "peerId": f"192.0.2.{n}", "bestpath": n == 1} for n in (1, 2)]
    answers = {
        "show bgp neighbors json": {HERE: FRR},
        "show bgp ipv4 unicast json": {"routes": {"10.0.0.1/32": paths}},
        "show bgp ipv6 unicast json": {"routes": {"2001:db8::/64": paths}},
    }
    monkeypatch.setattr(frr_neighbors, "Vty", lambda target: Vty(answers))
    sides, crowds = frr_neighbors.ask(ROUTER, "/run/x")
    used = (("192.0.2.1", True), ("192.0.2.2", False))
    assert sides == (frr(),)
    assert crowds == tuple(Crowd(ROUTER, ip_network(one), used) for one in ("10.0.0.1/32", "2001:db8::/64"))


# --- any of them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crowds", [None, [], [Crowd("bird /run/x", ip_network("10.0.0.1/32"), ())]])
def test_what_a_router_said_is_its_report(crowds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No crowd, and a router that does not tell, are two answers."""
    side = Side("bird /run/x", HERE)
    monkeypatch.setattr(bird_neighbors, "ask", lambda router, target: ([side], crowds))
    expected = None if crowds is None else tuple(crowds)
    assert ask_neighbors(parse_probe("bird=/run/x@192.0.2.1")) == RouterReport(
        "bird /run/x", (side,), expected, peer="192.0.2.1"
    )


def test_a_field_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Unreadable, match=r"^neighbors\.192\.0\.2\.11\.remoteAs must be an integer"):
        list(frr_neighbors.read(ROUTER, {HERE: {"remoteAs": "x"}}))
    with pytest.raises(Unreadable, match=r"^neighbors\[0\]\.conf\.peer_asn must be an integer"):
        list(gobgp_neighbors.read(ROUTER, [{"conf": {"peer_asn": "x"}}], Foreign({})))


def test_this_machine_is_named_by_its_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("0d4a7b52-0c60-4b0f-8a5d-4f3a3f0a1b2c\n")
    monkeypatch.setattr(asking, "BOOT_ID", str(boot))
    assert asking.this_machine() == "0d4a7b52-0c60-4b0f-8a5d-4f3a3f0a1b2c"
    boot.unlink()
    assert asking.this_machine() == ""


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("1234567890", 1234567890), ("12345678901", None), ("-1", None)]
)
def test_an_as_number_as_text(text: str, number: int | None) -> None:
    assert neighbors.number(text) == number


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        (("Receive limit: 10", "Action: warn"), Limit(10, warns=True)),
        (("Receive limit: 10", "Action: disable"), Limit(10)),
        (("Receive limit: 10", "Import updates: 5", "Action: warn"), Limit(10)),
        (("Receive limit: 10",), Limit(10)),
        (("Export limit: 10", "Action: warn"), None),
        (("Receive limit: 10", "Action: warn", "Import limit: 20", "Action: block"), Limit(20)),
    ],
)
def test_bird_what_happens_at_a_limit_stands_right_below_it(
    lines: tuple[str, ...], limit: Limit | None
) -> None:
    """One that only warns lets more in than one that ends the session."""
    (one,) = bird(*SESSION, "Channel ipv4", *lines).channels
    assert one.limit == limit


def test_frr_a_path_that_is_not_valid_or_stale_is_no_choice() -> None:
    live = {"valid": True, "peerId": "192.0.2.1", "bestpath": True}
    for other in ({"peerId": "192.0.2.2"}, {"valid": False, "peerId": "192.0.2.2"}, {**live, "stale": True}):
        assert list(frr_neighbors.crowds(ROUTER, {"routes": {"10.0.0.1/32": [live, other]}})) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"", "its client ended with 3"),
        (b" \n\n", "its client ended with 3"),
        (b"one\ntwo\n", "two"),
        (b'{"error":"context deadline exceeded"}\n', "context deadline exceeded"),
        (b"caf\xe9\n", "caf\ufffd"),
        (b"x" * 5000, "x" * 4096),
    ],
)
def test_what_a_client_complains_of(words: bytes, told: str) -> None:
    assert _last_line(words, 3) == told
