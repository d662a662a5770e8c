"""metav1.Status answers: what a kube-apiserver says when it refuses, word for word where clients parse it.

Sources: k8s.io/apimachinery/pkg/api/errors (reasons, codes and messages), facts/drain.md section 1.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bgpctl.lab.api.documents import Document


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `details.causes`: reason such as FieldValueRequired, message, field path."""

    reason: str
    message: str
    field: str = ""

    def document(self) -> Document:
        """metav1.StatusCause: an empty part is left out."""
        pairs = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: value for key, value in pairs.items() if value}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class ApiError(Exception):
    """A request that is answered with a Status of `code`. Raised anywhere below the HTTP handler."""

    def __init__(self, code: int, reason: str, message: str, details: Document | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def document(self) -> Document:
        """The metav1.Status."""
        status: Document = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}

    @property
    def retry_after(self) -> int | None:
        """Seconds for the Retry-After header, which a server sends only when `details` carry them."""
        seconds = (self.details or {}).get("retryAfterSeconds")
        return int(seconds) if seconds else None


def success(code: int = 200, details: Document | None = None) -> Document:
    """The Status of a request that worked and has no object to show."""
    status: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        status["details"] = details
    return status if code == 200 else {**status, "code": code}


def qualified(group: str, plural: str) -> str:
    """schema.GroupResource.String: `pods`, `leases.coordination.k8s.io`."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, kind: str, name: str = "", **more: object) -> Document:
    pairs = {"name": name, "group": group, "kind": kind, **more}
    return {key: value for key, value in pairs.items() if value}


def not_found(group: str, plural: str, name: str) -> ApiError:
    """404 for a named object; `no_such_path` is for a resource."""
    message = f'{qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(group, plural, name))


def no_such_path() -> ApiError:
    """An unknown group, version or resource."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, {})


def already_exists(group: str, plural: str, name: str, *, going: bool = False) -> ApiError:
    """409. `going`: it is there, and on its way out."""
    message = f'{qualified(group, plural)} "{name}" already exists'
    if going:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


OPTIMISTIC_LOCK = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(group: str, plural: str, name: str, why: str = OPTIMISTIC_LOCK) -> ApiError:
    """409; without a `why` the resourceVersion was too old."""
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with every fault at once (errors.NewInvalid)."""
    texts = [str(cause) for cause in causes]
    summary = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{qualified(group, kind)} "{name}" is invalid: {summary}'
    details = _details(group, kind, name, causes=[cause.document() for cause in causes])
    return ApiError(422, "Invalid", message, details)


def unprocessable() -> ApiError:
    """A JSON patch that did not apply, a failing `test` included: the apiserver says no more than this."""
    message = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", message, {})


def unauthorized() -> ApiError:
    """401: the token, or the certificate, is nobody's."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    """`why` continues the sentence: `User "x" cannot list resource …`."""
    named = f' "{name}"' if name else ""
    message = f"{qualified(group, plural)}{named} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, _details(group, plural, name))


def bad_request(message: str) -> ApiError:
    """400: what was asked cannot be read; `message` says why."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    """405: the resource is there, the verb is not for it."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported_media_type(accepted: Iterable[str], advice: str = "") -> ApiError:
    """415; `accepted` are the types to use, `advice` goes on after them."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    message += ", ".join(accepted) + advice
    return ApiError(415, "UnsupportedMediaType", message)


def expired(message: str) -> ApiError:
    """410: a history or a continue token that is no longer kept."""
    return ApiError(410, "Expired", message)


def too_old(asked: int, oldest: int) -> ApiError:
    """410: the resourceVersion asked for, and the oldest that a watch may begin at."""
    return expired(f"too old resource version: {asked} ({oldest})")


def too_large(asked: int, current: int) -> ApiError:
    """A resourceVersion from the future: the server waits, then gives up."""
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def too_many_requests(message: str, retry_after: int = 0, causes: Sequence[Cause] = ()) -> ApiError:
    """429; `retry_after` in seconds, 0 = the header is not sent. An eviction names its budget in `causes`."""
    details: Document = {}
    if causes:
        details["causes"] = [cause.document() for cause in causes]
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details)


def internal(message: str) -> ApiError:
    """500; `message` becomes the cause too."""
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details)
