"""As much protobuf as a SelfSubjectAccessReview takes: kubectl sends its reviews so, whatever is asked of it.

Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf (the envelope), k8s.io/api/authorization/v1/
generated.proto (the fields' numbers), protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAGIC = b"k8s\x00"
_RAW, _SPEC, _RESOURCE = 2, 2, 1  # of Unknown, of a review, of its spec
_ATTRIBUTES = {
    1: "namespace",
    2: "verb",
    3: "group",
    4: "version",
    5: "resource",
    6: "subresource",
    7: "name",
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def review(body: bytes) -> dict[str, Any]:
    """A review as JSON has it; {} for what is none, or asks for no resource."""
    if not body.startswith(MAGIC):
        return {}
    try:
        found = _inside(body[len(MAGIC) :], _RAW, _SPEC, _RESOURCE)
        told = {
            _ATTRIBUTES[number]: value.decode() for number, value in _fields(found) if number in _ATTRIBUTES
        }
    except (ValueError, IndexError):
        return {}
    return {"spec": {"resourceAttributes": {name: value for name, value in told.items() if value}}}


def _inside(message: bytes, *numbers: int) -> bytes:
    """The message in a field of the message in a field …; b"" where one is missing."""
    for number in numbers:
        message = dict(_fields(message)).get(number, b"")
    return message


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Those that are strings or messages, with their numbers. Raises ValueError, IndexError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field goes beyond its message")
            yield number, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no wire type: {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while True:
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if not octet & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that does not end")
