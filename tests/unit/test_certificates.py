"""Until when a certificate counts, from its octets (RFC 5280, X.690)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from bgpctl.core.reading.certificates import expiry, pem_expiry
from bgpctl.core.reading.foreign import Unreadable


def der(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    octets = len(value).to_bytes((len(value).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + value


def certificate(end: bytes, tag: int = 0x17, *, version: bool = True, padding: int = 0) -> bytes:
    begin = der(0x17, b"200101000000Z")
    fields = [
        der(0x02, b"\x01"),
        der(0x30),
        der(0x30, b"\x05\x00" * padding),
        der(0x30, begin, der(tag, end)),
    ]
    if version:
        fields.insert(0, der(0xA0, der(0x02, b"\x02")))
    return der(0x30, der(0x30, *fields), der(0x30))


def at(*words: int) -> float:
    return datetime(*words, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("end", "tag", "until"),
    [
        (b"270115080000Z", 0x17, at(2027, 1, 15, 8)),
        (b"491231235959Z", 0x17, at(2049, 12, 31, 23, 59, 59)),
        (b"500101000000Z", 0x17, at(1950, 1, 1)),
        (b"991231235959Z", 0x17, at(1999, 12, 31, 23, 59, 59)),
        (b"20500101000000Z", 0x18, at(2050, 1, 1)),
        (b"99991231235959Z", 0x18, at(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_until_when_it_counts(end: bytes, tag: int, until: float) -> None:
    """Two digits of a year are of 1950 to 2049."""
    for version in (True, False):
        for padding in (0, 100, 40_000):  # lengths in the short form, and in the long one
            assert expiry(certificate(end, tag, version=version, padding=padding)) == until


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "a certificate ends too soon"),
        (b"\x30", "a certificate ends too soon"),
        (b"\x30\x05\x30", "a certificate ends too soon"),
        (b"\x30\x85\x01\x01\x01\x01\x01", "a certificate is too long"),
        (b"\x31\x00", "a certificate is no X.509"),
        (der(0x30, der(0x31)), "a certificate is no X.509"),
        (der(0x30, der(0x30)), "a certificate has no validity"),
        (der(0x30, der(0x30, *[der(0x30)] * 3)), "a certificate has no validity"),
        (der(0x30, der(0x30, der(0xA0), *[der(0x30)] * 3)), "a certificate has no validity"),
        (der(0x30, der(0x30, *[der(0x30)] * 4)), "a certificate's validity has no end"),
        (der(0x30, der(0x30, *[der(0x31, der(0x17), der(0x17))] * 4)), "a certificate's validity has no end"),
        (certificate(b"270115080000Z", 0x16), "a certificate's validity is no time"),
        (certificate(b"270115080000"), "a certificate's validity is no time"),
        (certificate(b"27011508000\xffZ"), "a certificate's validity is no time"),
        (certificate(b""), "a certificate's validity is no time"),
    ],
)
def test_what_is_no_certificate_says_so(octets: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}$"):
        expiry(octets)


def pem(*ders: bytes) -> bytes:
    head, tail = b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----\n"
    return b"before\n" + b"".join(head + base64.encodebytes(one) + tail for one in ders)


def test_of_several_the_first_that_ends_counts() -> None:
    ends = [certificate(f"{year}0115080000Z".encode()) for year in (29, 27, 28)]
    assert pem_expiry(pem(*ends)) == at(2027, 1, 15, 8)
    assert pem_expiry(b"nothing") is None
    with pytest.raises(Unreadable, match="no Base64"):
        pem_expiry(b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----")
