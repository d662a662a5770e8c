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
    ],
)
def test_long_lived(capability: str, expected: int | None) -> None:
    assert capabilities.long_lived(bytes.fromhex(capability), (IPV4, IPV6)) == expected


def test_only_our_families_count_for_long_lived() -> None:
    assert capabilities.long_lived(bytes.fromhex("0001010000000a0002010000000b"), (IPV4,)) == 10


@pytest.mark.parametrize(
    ("code", "subcode", "text"),
    [
        (6, 9, "Cease/Hard Reset (6/9)"),
        (4, 0, "Hold Timer Expired (4/0)"),
        (6, 77, "Cease (6/77)"),
        (99, 1, "unknown (99/1)"),
    ],
)
def test_notification_text(code: int, subcode: int, text: str) -> None:
    assert notification.notification_text(code, subcode) == text


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
    assert notification.read_shutdown_communication(b"\x02\xff\xfe") == "\ufffd\ufffd"


def test_every_subcode_has_one_name() -> None:
    first, second = notification.notification_text(1, 1), notification.notification_text(1, 2)
    assert ("Connection Not Synchronized" in first, "Bad Message Length" in second) == (True, True)


def test_what_a_cease_tells() -> None:
    """RFC 9003, and the NOTIFICATION inside a Hard Reset (RFC 8538)."""
    said = notification.shutdown_communication("bye")
    assert notification.read_cease(2, said) == (None, "bye")
    assert notification.read_cease(6, said) == (None, "")
    assert notification.read_cease(9, b"") == (None, "")
    assert notification.read_cease(9, bytes((6, 2)) + said) == ((6, 2), "bye")
    assert notification.read_cease(9, bytes((4, 2)) + said) == ((4, 2), "")
    assert notification.read_cease(9, bytes((6, 9)) + bytes((6, 2)) + said) == ((6, 9), "")
