"""Addresses that others wrote: nothing but an address comes through, and it may be written anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.podcidrs import pod_cidrs
from bgpctl.core.policy.peering import parse_policy
from bgpctl.core.reading.addresses import parse_address, parse_network, parse_zoned
from bgpctl.runbooks import peers
from tests.support import objects

ATTACK = "fe80::1%x json\0configure terminal\0router bgp 65000\0neighbor 192.0.2.2 shutdown"


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "fe80::1"])
def test_an_address_is_read_as_it_is(text: str) -> None:
    assert str(parse_address(text)) == str(parse_zoned(text)) == text


def test_ipv4_as_ipv6_is_ipv4() -> None:
    """One router had two names by it: its probe was a stranger's, and its word another one's."""
    assert str(parse_address("::ffff:192.0.2.1")) == str(parse_zoned("::FFFF:c000:201")) == "192.0.2.1"
    assert peers.parse("[::ffff:192.0.2.1]:1790") == peers.parse("192.0.2.1:1790") == ("192.0.2.1", 1790)
    assert peers.parse("red/::ffff:192.0.2.1") == ("red/192.0.2.1", None)
    claim = parse_policy(objects.policy(objects.router(objects.neighbor("::ffff:192.0.2.1/128"))), "policy")
    assert claim.value is not None
    assert str(claim.value.virtual_routers[0].neighbors[0].address) == "192.0.2.1"


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::1%bond0.17", "fe80::1%a-b_c"])
def test_an_interface_belongs_to_a_link_local_address(text: str) -> None:
    assert str(parse_zoned(text)) == text
    with pytest.raises(ValueError):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        ATTACK,
        "fe80::1%x\n",
        "fe80::1%x y",
        "fe80::1%-" + "x" * 15,
        "fe80::1%\u0661",
        "2001:db8::1%eth0",
        "::ffff:192.0.2.1%eth0",
        "192.0.2.1%eth0",
        "192.0.2.1\n",
        "192.0.2.1/32",
        " 192.0.2.1",
        "garbage",
        "",
        "1" * 10_000,
        3221225985,
        b"\xc0\x00\x02\x01",
        None,
        ["192.0.2.1"],
    ],
)
def test_anything_else_is_none(text: object) -> None:
    with pytest.raises(ValueError):
        parse_zoned(text)
    with pytest.raises(ValueError):
        parse_network(text) if text != "192.0.2.1/32" else parse_network("192.0.2.1/x")


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0/128", "fe80::%x\nannounce/64", "10.0.0.1/24", "10.0.0.0/33", 10]
)
def test_a_prefix_has_no_zone_and_no_host_bits(text: object) -> None:
    with pytest.raises(ValueError):
        parse_network(text)


@given(st.text(max_size=80) | st.text("fe80:%1./\0 \n", max_size=30))
def test_what_comes_through_is_one_printable_word(text: str) -> None:
    for parse in (parse_address, parse_zoned, parse_network):
        try:
            written = str(parse(text))
        except ValueError:
            continue
        assert written.isascii() and written.isprintable() and " " not in written


@pytest.mark.parametrize("zone", ["eth0", "x {\n  evil", "\0"])
def test_a_policy_puts_no_text_into_the_engines_configuration(zone: str) -> None:
    """The address of a peer is written there as it came."""
    document = objects.policy(objects.router(objects.neighbor(f"fe80::1%{zone}/128")))
    parsed = parse_policy(document, "policy")
    assert parsed.value is None
    assert [problem.path for problem in parsed.problems] == [
        "spec.virtualRouters[0].neighbors[0].peerAddress"
    ]


@pytest.mark.parametrize("text", ["fe80::%\nannounce/64", "fe80::1%x"])
def test_a_nodes_own_prefix_puts_no_text_into_the_engines_commands(text: str) -> None:
    problems: list[str] = []
    node = objects.node(spec={"podCIDRs": [text]})
    assert list(pod_cidrs(node, None, problems)) == []
    assert len(problems) == 1
