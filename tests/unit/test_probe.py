"""The text form of a probe."""

from __future__ import annotations

import pytest

from bgpctl.errors import UsageError
from bgpctl.witness.probe import DEFAULTS, parse_probe


@pytest.mark.parametrize(
    ("text", "kind", "target", "peer"),
    [
        ("bird=/run/bird/bird.ctl", "bird", "/run/bird/bird.ctl", None),
        ("bird=/run/bird.ctl@65001/10.0.0.1", "bird", "/run/bird.ctl", "65001/10.0.0.1"),
        ("frr", "frr", "/var/run/frr", None),
        ("frr@10.0.0.1", "frr", "/var/run/frr", "10.0.0.1"),
        ("gobgp=10.0.0.9:50051", "gobgp", "10.0.0.9:50051", None),
        ("gobgp=[fd00::9]:50051@fd00::9", "gobgp", "[fd00::9]:50051", "fd00::9"),
        ("openbgpd=/run/bgpd.sock", "openbgpd", "/run/bgpd.sock", None),
        ("exabgp=/tmp/with space/rib.json", "exabgp", "/tmp/with space/rib.json", None),
    ],
)
def test_good_texts(text: str, kind: str, target: str, peer: str | None) -> None:
    probe = parse_probe(text)
    assert (probe.kind, probe.target, probe.peer) == (kind, target, peer)


@pytest.mark.parametrize(
    "text", ["", "junos=/x", "bird=", "exabgp", "=/run/bird.ctl", "BIRD=/x", "bird=/x@", "bird=/x@a b"]
)
def test_bad_texts_name_the_kinds_and_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_probe(text)
    said = f"{caught.value.message} {caught.value.hint}"
    kinds = set(DEFAULTS) - {"exabgp"}  # the lab's own receiver
    assert all(kind in said for kind in kinds) and "exabgp" not in said.replace("'exabgp'", "")
    assert "bird=/run/bird/bird.ctl" in said
