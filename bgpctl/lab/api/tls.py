"""A server certificate for one run, made here: no openssl command, no further package.

kubectl sends its token over HTTPS only (client-go reads credentials for a TLS server and for no other), so
the lab cannot do without. ECDSA on P-256 is small enough to write down: SEC 1 (keys, signatures), FIPS 186-4
(the curve), RFC 5280 and RFC 5480 (the certificate). The arithmetic is not constant-time: the key lives for
one run on loopback and guards nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

# --- the curve P-256 --------------------------------------------------------------------------------------

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None


def _add(left: _Point, right: _Point) -> _Point:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    if left == right:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) % _P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _P) % _P
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _multiply(scalar: int) -> tuple[int, int]:
    """`scalar` times the generator, for 0 < scalar < n."""
    result: _Point = None
    power: _Point = _G
    while scalar:
        if scalar & 1:
            result = _add(result, power)
        power, scalar = _add(power, power), scalar >> 1
    assert result
    return result


def _sign(key: int, message: bytes) -> bytes:
    """ECDSA with SHA-256, as DER."""
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        r = _multiply(nonce)[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * key) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


# --- DER --------------------------------------------------------------------------------------------------


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _bits(content: bytes, unused: int = 0) -> bytes:
    return _der(0x03, bytes((unused,)) + content)


def _octets(content: bytes) -> bytes:
    return _der(0x04, content)


def _oid(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytes((first * 40 + second,))
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | part & 0x7F)
        content += bytes(reversed(groups))
    return _der(0x06, content)


_CURVE = _oid("1.2.840.10045.3.1.7")
_EC_KEY = _oid("1.2.840.10045.2.1")
_SIGNED_SHA256 = _sequence(_oid("1.2.840.10045.4.3.2"))
_TRUE = b"\x01\x01\xff"


def _name(text: str) -> bytes:
    return _sequence(_der(0x31, _sequence(_oid("2.5.4.3"), _der(0x0C, text.encode()))))


def _time(moment: datetime) -> bytes:
    return _der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _extension(oid: str, content: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(oid), _TRUE if critical else b"", _octets(content))


def _extensions(host: str, public: bytes) -> bytes:
    """What strict verifiers (Go, Python 3.13) ask of a certificate that is its own authority."""
    identifier = hashlib.sha1(public, usedforsecurity=False).digest()
    names = _der(0x87, ip_address(host).packed) + _der(0x82, b"localhost")
    listed = _sequence(
        _extension("2.5.29.19", _sequence(_TRUE), critical=True),
        _extension("2.5.29.15", _bits(b"\x84", 2), critical=True),  # digitalSignature, keyCertSign
        _extension("2.5.29.37", _sequence(_oid("1.3.6.1.5.5.7.3.1"))),  # serverAuth
        _extension("2.5.29.14", _octets(identifier)),
        _extension("2.5.29.35", _sequence(_der(0x80, identifier))),
        _extension("2.5.29.17", _sequence(names)),
    )
    return _der(0xA3, listed)


# --- certificate and key ----------------------------------------------------------------------------------


def _certificate(host: str, key: int, public: bytes, days: int) -> bytes:
    now, name = datetime.now(UTC), _name("bgpctl-lab")
    body = _sequence(
        _der(0xA0, _integer(2)),  # version 3
        _integer(secrets.randbits(64) + 1),
        _SIGNED_SHA256,
        name,
        # An hour back: clocks of containers and virtual machines differ a little.
        _sequence(_time(now - timedelta(hours=1)), _time(now + timedelta(days=days))),
        name,
        _sequence(_sequence(_EC_KEY, _CURVE), _bits(public)),
        _extensions(host, public),
    )
    return _sequence(body, _SIGNED_SHA256, _bits(_sign(key, body)))


def _private(key: int, public: bytes) -> bytes:
    """RFC 5915."""
    parts = _integer(1), _octets(key.to_bytes(32)), _der(0xA0, _CURVE), _der(0xA1, _bits(public))
    return _sequence(*parts)


def _pem(label: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's context, and the certificate that clients must trust (PEM)."""

    context: ssl.SSLContext
    certificate: str


def make(host: str, days: int = 30) -> Tls:
    """A self-signed certificate for the IP address `host` and for localhost; the key dies with the run."""
    key = secrets.randbelow(_N - 1) + 1
    x, y = _multiply(key)
    public = b"\x04" + x.to_bytes(32) + y.to_bytes(32)
    certificate = _pem("CERTIFICATE", _certificate(host, key, public, days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The ssl module reads keys from files only; the folder is ours alone (0700) and gone a moment later.
    with tempfile.TemporaryDirectory(prefix="bgpctl-lab-") as folder:
        both = Path(folder, "server.pem")
        both.write_text(certificate + _pem("EC PRIVATE KEY", _private(key, public)))
        context.load_cert_chain(both)
    return Tls(context, certificate)
