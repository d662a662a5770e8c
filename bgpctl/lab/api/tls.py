"""A server certificate for one run, from a certificate authority that dies with it.

kubectl sends its token over HTTPS only (client-go reads credentials for a TLS server and for no other), so
the lab cannot do without.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from bgpctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's context, and the certificate that clients must trust (PEM)."""

    context: ssl.SSLContext
    certificate: str


def installed() -> None:
    """Raises UsageError where it is not: nodes that run a speaker need no cryptography."""
    try:
        import trustme  # noqa: F401
    except ImportError:
        raise UsageError(
            "the lab needs more than a plain bgpctl", "in the checkout: pip install '.[lab]'"
        ) from None


def make(host: str) -> Tls:
    """A certificate for the IP address `host` and for localhost."""
    import trustme

    authority = trustme.CA(organization_name="bgpctl lab")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, "localhost").configure_cert(context)
    return Tls(context, authority.cert_pem.bytes().decode())
