"""The neutral form that policies compile to, and the annotations of the node."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from bgpctl.core.policy.nodeconfig import RouterSettings, Source, router_settings
from bgpctl.core.policy.peering import node_config, parse_policy
from tests.support.objects import neighbor, policy, router


def test_node_config() -> None:
    parsed = parse_policy(
        policy(router(), router(neighbor("10.0.0.2/32"), asn=65002, exportPodCIDR=False)), "policy.yaml"
    )
    assert parsed.value is not None
    config = node_config(parsed.value, {65002: RouterSettings(IPv4Address("10.9.9.9"), 1179)})
    assert config.owner == "policy" and [i.name for i in config.instances] == ["65001", "65002"]
    assert config.instances[0].router_id is None and config.instances[0].local_port is None
    assert str(config.instances[1].router_id) == "10.9.9.9" and config.instances[1].local_port == 1179
    assert [p.name for i in config.instances for p in i.peers] == ["65001/127.0.0.100", "65002/10.0.0.2"]
    sources = [[a.source for a in i.peers[0].families[0].advertisements] for i in config.instances]
    assert sources == [[Source.POD_CIDR, Source.SERVICE], [Source.SERVICE]]


# --- annotations ------------------------------------------------------------------------------------------

PREFIX = "cilium.io/bgp-virtual-router."


def test_annotations() -> None:
    settings, faults = router_settings(
        {
            PREFIX + "65001": "router-id=10.0.0.2, local-port=1179,router-id=10.0.0.3",
            "other": "x",
            PREFIX + "7": "",
        }
    )
    assert faults == ()
    assert settings == {65001: RouterSettings(IPv4Address("10.0.0.3"), 1179), 7: RouterSettings()}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("abc", "", "must end in an ASN"),
        ("4294967296", "", "must end in an ASN"),
        ("1", "router-id=0.0.0.0", "other than 0.0.0.0"),
        ("1", "router-id=2001:db8::1", "an IPv4 address"),
        ("1", "local-port=0", "must be 1..65535"),
        ("1", "local-port=65536", "must be 1..65535"),
        ("1", "local-port=99999999999999999999", "must be 1..65535"),
        ("1", "routerid=10.0.0.1", "neither router-id"),
        ("1", "router-id", "'router-id' is neither router-id=IPV4 nor local-port=PORT"),
        ("1", "local-port=٣", "must be 1..65535"),
        ("1", "local-port=000001", "must be 1..65535"),
        ("٣", "", "must end in an ASN"),
    ],
)
def test_bad_annotations_cost_their_value_only(key: str, value: str, words: str) -> None:
    settings, faults = router_settings({PREFIX + key: value, PREFIX + "2": "local-port=2"})
    assert len(faults) == 1 and words in faults[0]
    assert settings[2].local_port == 2
    assert settings.get(1, RouterSettings()) == RouterSettings()


def test_the_last_as_and_the_last_port() -> None:
    settings, faults = router_settings({PREFIX + "4294967295": "local-port=65535"})
    assert (settings, faults) == ({4294967295: RouterSettings(local_port=65535)}, ())
