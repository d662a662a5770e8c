"""Octets of BGP: the words in a NOTIFICATION, the times in a capability."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.bgp import capabilities, notification
from bgpctl.core.model import IPV4, IPV6


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ("", None),
        ("00010100000000", 0),
        ("0001010000000a0002010000000b", 11),
        ("000180000000ff", None),  # MPLS VPN is not ours
        ("0001010000", None),  # cut
        ("0001010000000a000201000000", 10),  # its second is cut
        ("000101000000", None),
        ("00010180000007", 7),  # the flag is none of the seconds
        ("000101ff010203", 0x010203),
    ],
)
def test_long_lived(capability: str, expected: int | None) -> None:
    assert capabilities.long_lived(bytes.fromhex(capability), (IPV4, IPV6)) == expected


def test_only_our_families_count_for_long_lived() -> None:
    assert capabilities.long_lived(bytes.fromhex("0001010000000a0002010000000b"), (IPV4,)) == 10


REGISTRY = """
1 Message Header Error: 1 Connection Not Synchronized, 2 Bad Message Length, 3 Bad Message Type
2 OPEN Message Error: 1 Unsupported Version Number, 2 Bad Peer AS, 3 Bad BGP Identifier
2 OPEN Message Error: 6 Unacceptable Hold Time, 7 Unsupported Capability
3 UPDATE Message Error: 1 Malformed Attribute List, 8 Invalid NEXT_HOP Attribute
3 UPDATE Message Error: 10 Invalid Network Field, 11 Malformed AS_PATH
4 Hold Timer Expired:
5 Finite State Machine Error: 1 Receive Unexpected Message in OpenSent State
5 Finite State Machine Error: 2 Receive Unexpected Message in OpenConfirm State
5 Finite State Machine Error: 3 Receive Unexpected Message in Established State
6 Cease: 1 Maximum Number of Prefixes Reached, 2 Administrative Shutdown, 3 Peer De-configured
6 Cease: 4 Administrative Reset, 5 Connection Rejected, 6 Other Configuration Change
6 Cease: 7 Connection Collision Resolution, 8 Out of Resources, 9 Hard Reset, 10 BFD Down
7 ROUTE-REFRESH Message Error:
8 Send Hold Timer Expired:
"""
"""IANA's "BGP Error (Notification) Codes" and subcodes."""


@pytest.mark.parametrize("line", REGISTRY.strip().splitlines())
def test_a_notification_is_named_as_iana_names_it(line: str) -> None:
    error, _, subcodes = line.partition(":")
    code, name = error.split(" ", 1)
    assert notification.notification_text(int(code), 77) == f"{name} ({code}/77)"
    for said in filter(None, subcodes.split(",")):
        subcode, words = said.strip().split(" ", 1)
        assert notification.notification_text(int(code), int(subcode)) == f"{name}/{words} ({code}/{subcode})"


def test_a_code_without_a_name_is_told_by_its_number() -> None:
    assert [notification.notification_text(code, 1) for code in (0, 9)] == ["unknown (0/1)", "unknown (9/1)"]


def test_two_speakers_of_one_node_show_by_these() -> None:
    """RFC 4486 section 4."""
    assert (notification.CONNECTION_REJECTED, notification.COLLISION) == ((6, 5), (6, 7))


@pytest.mark.parametrize(
    ("text", "length"), [("a" * 255, 255), ("a" * 256, 255), ("é" * 127 + "aé", 255), ("a" + "€" * 85, 253)]
)
def test_the_words_are_cut_at_255_octets_between_characters(text: str, length: int) -> None:
    packed = notification.shutdown_communication(text)
    assert (packed[0], len(packed)) == (length, length + 1)
    assert text.startswith(packed[1:].decode())


def test_a_surrogate_that_a_shell_let_through_is_no_crash() -> None:
    """A word of the command line that is no UTF-8 reaches a program as one."""
    assert notification.shutdown_communication("a\udcff") == b"\x02a?"


@given(st.text())
def test_shutdown_communication(text: str) -> None:
    packed = notification.shutdown_communication(text)
    assert packed[0] == len(packed) - 1 <= 255
    assert text.encode("utf-8", "replace").startswith(packed[1:])
    packed[1:].decode()


def test_reading_a_routers_words() -> None:
    assert notification.read_shutdown_communication(b"") == ""
    assert notification.read_shutdown_communication(b"\x05hello trailing") == "hello"
    assert notification.read_shutdown_communication(b"\xffshort") == "short"
    assert notification.read_shutdown_communication(b"\x04a\x1b\nb") == "a  b"
    assert notification.read_shutdown_communication(b"\x05\n a\n bcd") == "a"
    assert notification.read_shutdown_communication(b"\x01abc") == "a"
    assert notification.read_shutdown_communication(b"\x02\xff\xfe") == "\ufffd\ufffd"


def test_what_a_cease_tells() -> None:
    """RFC 9003, and the NOTIFICATION inside a Hard Reset (RFC 8538)."""
    said = notification.shutdown_communication("bye")
    assert notification.read_cease(2, said) == notification.read_cease(4, said) == (None, "bye")
    assert notification.read_cease(3, said) == notification.read_cease(5, said) == (None, "")
    assert notification.read_cease(6, said) == (None, "")
    assert notification.read_cease(9, b"") == (None, "")
    assert notification.read_cease(9, bytes((6,))) == (None, "")
    assert notification.read_cease(9, bytes((6, 2))) == ((6, 2), "")
    assert notification.read_cease(9, bytes((6, 2)) + said) == ((6, 2), "bye")
    assert notification.read_cease(9, bytes((4, 2)) + said) == ((4, 2), "")
    assert notification.read_cease(9, bytes((6, 9)) + bytes((6, 2)) + said) == ((6, 9), "")
