"""A kubeconfig as most are, read without the official client, whose import is half of what a short command
costs: one file with a server, its CA, and a token or a client certificate.

Only that. Whatever is unusual or wrong (several files, exec plugins, proxies, a file that is missing, a
document that is none) is not decided here: `kube.config` asks the official client, which has the words.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgpctl.kube.config import CONNECTIONS, Access, accept_insecure, keepalive

if TYPE_CHECKING:
    import ssl

    import urllib3

Document = Mapping[str, Any]

FILES = ("certificate-authority", "client-certificate", "client-key")
CLUSTER = {"server", "insecure-skip-tls-verify", "extensions", FILES[0], f"{FILES[0]}-data"}
USER = {"token", "extensions", *FILES[1:], *(f"{name}-data" for name in FILES[1:])}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Unusual(Exception):
    """Somebody else has to read this one."""


def plain_access(path: str, context: str | None) -> Access | None:
    """The API server of `context` (None = the current one), or None for a file that is not that simple."""
    if any(name in os.environ or name.lower() in os.environ for name in PROXIES):
        return None
    try:
        return _access(Path(path), context)
    except (Unusual, KeyError, TypeError, AttributeError, ValueError, OSError):
        return None


def _access(path: Path, wanted: str | None) -> Access:
    document = _parsed(path)
    context = _named(document, "context", wanted or document["current-context"])
    cluster = _known(_named(document, "cluster", context["cluster"]), CLUSTER)
    user = _known(_named(document, "user", context["user"]), USER)
    server = _text(cluster["server"]).rstrip("/")
    pool = _pool(server.startswith("https://"), cluster, user, path.parent)
    extensions = {e["name"]: e["extension"] for e in context.get("extensions") or ()}
    certificate = _octets(user, FILES[1], path.parent)
    return Access(server, pool, _authorization(user), extensions, certificate)


def _parsed(path: Path) -> Document:
    import yaml

    try:
        document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError:
        raise Unusual from None
    if not isinstance(document, dict):
        raise Unusual
    return document


def _named(document: Document, what: str, name: str) -> Document:
    """The one entry of that name in `contexts`, `clusters` or `users`."""
    (found,) = [entry[what] for entry in document[f"{what}s"] if entry["name"] == name]
    return dict(found)


def _known(entry: Document, keys: set[str]) -> Document:
    if entry.keys() - keys:
        raise Unusual
    return entry


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Unusual
    return value


def _authorization(user: Document) -> Callable[[], str | None]:
    if "token" in user:
        bearer = f"Bearer {_text(user['token']).strip()}"
        return lambda: bearer
    if not ({"client-certificate", "client-certificate-data"} & user.keys()):
        raise Unusual
    return lambda: None


def _pool(secure: bool, cluster: Document, user: Document, directory: Path) -> urllib3.PoolManager:
    import urllib3

    context = _tls(cluster, user, directory) if secure else None
    return urllib3.PoolManager(maxsize=CONNECTIONS, ssl_context=context, socket_options=keepalive())


def _tls(cluster: Document, user: Document, directory: Path) -> ssl.SSLContext:
    import ssl

    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context()
    insecure = cluster.get("insecure-skip-tls-verify") is True
    context.check_hostname = not insecure
    context.verify_mode = ssl.CERT_NONE if insecure else ssl.CERT_REQUIRED
    authority, certificate, key = (
        _octets(entry, name, directory) for entry, name in zip((cluster, user, user), FILES, strict=True)
    )
    if insecure:
        accept_insecure()
    elif authority:
        context.load_verify_locations(cadata=authority.decode())
    else:
        context.load_default_certs()
    if certificate:
        with _in_memory(certificate) as held, _in_memory(key) as secret:
            context.load_cert_chain(held, secret)
    return context


def _octets(entry: Document, name: str, directory: Path) -> bytes:
    """Of `NAME-data`, else of the file NAME, which is relative to the kubeconfig; b"" without either."""
    if f"{name}-data" in entry:
        return base64.b64decode(_text(entry[f"{name}-data"]), validate=True)
    return (directory / _text(entry[name])).read_bytes() if name in entry else b""


@contextmanager
def _in_memory(octets: bytes) -> Iterator[str]:
    """A name under which OpenSSL can read them: keys are given to it as files only, and on no disk."""
    if not octets:
        raise Unusual
    descriptor = os.memfd_create("bgpctl", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, octets)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
