"""What came instead of what was asked of an API server: every failure sorted by what to do about it.

`Temporary` may succeed later; `ApiError` will not; `NotFound`, `Conflict` and `Gone` are ApiErrors that
callers ask for by name. A response body never reaches the user unread: the server's own message does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bgpctl.errors import BgpctlError, Outdated, Temporary, UsageError

if TYPE_CHECKING:
    import urllib3

Document = dict[str, Any]

FORBIDDEN = (
    "to see all that is missing, and the Role that grants it: bgpctl auth check\nor use another --context"
)
LONGEST_WISH = 300.0  # seconds of a Retry-After: nobody waits longer without asking again


class ApiError(BgpctlError):
    """The API server refused: `code` is the HTTP status, `reason` metav1.Status.reason, `status` its body."""

    def __init__(self, code: int, reason: str, message: str, status: Document, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code, self.reason, self.status = code, reason, status


class NotFound(ApiError):
    """404."""


class Conflict(ApiError, Outdated):
    """409: the object changed since it was read, or it exists already."""


class Gone(ApiError):
    """410: the resourceVersion is too old; list again."""


class ServerBusy(Temporary):
    """429 or 5xx. Carries the Status: an eviction's 429 names the PodDisruptionBudget in it."""

    code: int = 0
    status: Document = {}  # noqa: RUF012 — replaced per instance, never mutated


def document(data: bytes, what: str) -> Document:
    """The JSON object of a good answer; whatever else came with a good status is no API server's word."""
    found = parsed(data)
    if not isinstance(found, dict):
        raise Temporary(f"{what}: the answer is not from a Kubernetes API: {_excerpt(data)}")
    return found


def parsed(data: bytes) -> Any:
    """The JSON value, which is in UTF-8 (RFC 8259, section 8.1), None for anything else (a hundred thousand
    brackets among it)."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _status(data: bytes) -> Document:
    """The metav1.Status of a refusal; a proxy's own words become its message."""
    found = parsed(data)
    return found if isinstance(found, dict) else {"message": _excerpt(data) if data else ""}


def _excerpt(data: bytes) -> str:
    """The beginning of a page that somebody else sent. Of an object that was cut short nothing is told: it
    may be a Secret."""
    if data.lstrip()[:1] in (b"{", b"["):
        return f"{len(data)} octets of JSON that are not whole"
    return " ".join(data[:200].decode(errors="replace").split()) or "it is empty"


def refusal(method: str, path: str, code: int, headers: Mapping[str, str], body: bytes) -> BgpctlError:
    """The error that an answer of 300 or more stands for."""
    status = _status(body)
    reason, message = (_text(status.get(name)) for name in ("reason", "message"))
    message = message or f"HTTP {code}"
    kinds = {404: NotFound, 409: Conflict, 410: Gone}
    if code < 400:
        return Temporary(f"{method} {path}: redirected (HTTP {code}): this is not the Kubernetes API itself")
    if code == 401:
        return ApiError(
            code,
            reason,
            "the API server does not accept the credential (401)",
            status,
            "it may have expired: log in again",
        )
    if code == 403 and reason != "":
        return ApiError(code, reason, message, status, FORBIDDEN)
    if code == 429 or code >= 500:
        error = ServerBusy(f"{method} {path}: {message}", retry_after=_seconds(headers.get("Retry-After")))
        error.code, error.status = code, status
        return error
    return kinds.get(code, ApiError)(code, reason, message, status)


def unanswered(host: str, error: BaseException, patience: urllib3.Timeout | None = None) -> BgpctlError:
    """The error of a request that no answer came to, in that time. A password in the server's URL is not
    told."""
    host = re.sub(r"//[^/@]*@", "//", host)
    from ssl import SSLCertVerificationError

    cause = _innermost(error)
    if isinstance(cause, SSLCertVerificationError):
        # A certificate does not become better by waiting.
        return UsageError(
            f"the certificate of the API server {host} is not trusted: {cause.verify_message}",
            "check certificate-authority and the server's address in the kubeconfig",
        )
    within = _waited(error, patience)
    return Temporary(
        f"the API server {host} did not answer{within or f': {plain(error)}'}",
        "nothing is known to have changed; running the same command again is safe",
    )


def _waited(error: BaseException, patience: urllib3.Timeout | None) -> str:
    """For how long it was waited, where that was the end of it; urllib3 gives a handshake the time that it
    has for connecting, and an answer that of reading."""
    if patience is None or not isinstance(_innermost(error), TimeoutError):
        return ""
    from urllib3.exceptions import ReadTimeoutError

    answered = isinstance(error, ReadTimeoutError) and "handshake" not in str(_innermost(error))
    seconds = patience.read_timeout if answered else patience.connect_timeout
    return f" within {seconds:g} s"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def held_back(error: ServerBusy) -> bool:
    """Did a PodDisruptionBudget say no, and not a server in trouble?"""
    details = error.status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    listed = causes if isinstance(causes, list) else ()
    return any(isinstance(cause, dict) and cause.get("reason") == "DisruptionBudget" for cause in listed)


def _seconds(text: str | None) -> float | None:
    return min(float(text), LONGEST_WISH) if text and text.isascii() and text.isdigit() else None


def plain(error: BaseException) -> str:
    """The innermost cause in words: urllib3 nests the socket's error in its own, which print as objects."""
    cause = _innermost(error)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    text = str(cause).rsplit(": ", 1)[-1] if "object at 0x" in str(cause) else str(cause)
    return text.strip() or type(cause).__name__


def _innermost(error: BaseException) -> BaseException:
    nested = (getattr(error, "reason", None), error.__cause__, *error.args)
    inner = next((cause for cause in nested if isinstance(cause, BaseException)), None)
    return error if inner is None else _innermost(inner)
