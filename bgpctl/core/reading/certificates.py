"""Until when an X.509 certificate counts, and nothing else of it (RFC 5280 section 4.1.2.5). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

from bgpctl.core.reading.foreign import Unreadable

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.S)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def pem_expiry(text: bytes) -> float | None:
    """Epoch seconds until which every certificate in `text` (PEM) counts; None = there is none in it. Raises
    Unreadable."""
    ends = []
    for block in _BLOCK.findall(text):
        try:
            ends.append(expiry(base64.b64decode(b"".join(block.split()), validate=True)))
        except binascii.Error:
            raise Unreadable("a certificate is no Base64") from None
    return min(ends, default=None)


def expiry(der: bytes) -> float:
    """`notAfter` of one certificate, DER. Raises Unreadable."""
    certificate = _inside(der, _SEQUENCE)
    fields = _items(_inside(certificate, _SEQUENCE))
    if fields and fields[0][0] == _VERSION:
        fields = fields[1:]
    if len(fields) < 4:  # serial number, signature, issuer, validity
        raise Unreadable("a certificate has no validity")
    tag, octets = fields[3]
    times = _items(octets) if tag == _SEQUENCE else []
    if len(times) < 2:
        raise Unreadable("a certificate's validity has no end")
    return _instant(*times[1])


def _inside(octets: bytes, wanted: int) -> bytes:
    tag, value, _ = _item(octets)
    if tag != wanted:
        raise Unreadable("a certificate is no X.509")
    return value


def _items(octets: bytes) -> list[tuple[int, bytes]]:
    found = []
    while octets:
        tag, value, octets = _item(octets)
        found.append((tag, value))
    return found


def _item(octets: bytes) -> tuple[int, bytes, bytes]:
    """Tag, value, and what comes after (X.690 8.1: lengths in the short and in the long definite form)."""
    if len(octets) < 2:
        raise Unreadable("a certificate ends too soon")
    length, begins = octets[1], 2
    if length & 0x80:
        begins = 2 + (length & 0x7F)
        if begins > 6:
            raise Unreadable("a certificate is too long")
        length = int.from_bytes(octets[2:begins])
    if len(octets) < begins + length:
        raise Unreadable("a certificate ends too soon")
    return octets[0], octets[begins : begins + length], octets[begins + length :]


def _instant(tag: int, octets: bytes) -> float:
    """RFC 5280: UTCTime (YY, from 50 on 19YY) or GeneralizedTime, both with seconds and Z."""
    text = octets.decode("ascii", "replace")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise Unreadable("a certificate's validity is no time")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Unreadable("a certificate's validity is no time") from None
