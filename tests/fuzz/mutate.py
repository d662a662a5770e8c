"""Breaks good input as others do: wrong types, endless numbers, missing and doubled parts, depth, octets.

Seeded: the same generator gives the same mutation.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

Json = Any


def deep(depth: int, inner: Json = None) -> Json:
    """A list in a list in a list …"""
    value = inner
    for _ in range(depth):
        value = [value]
    return value


ATTACK = "fe80::1%x json\0configure terminal\0router bgp 65000\0neighbor 192.0.2.2 shutdown"
VALUES: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**31,
    2**63,
    2**70,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    "x",
    "x" * 70_000,
    "\0",
    "\x1b[2J\x9b",
    "\u202e",
    "\ud800",
    "\n",
    "[",
    "yesterday",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "10.0.0.1",
    "10.0.0.1/33",
    "fe80::1%eth0",
    ATTACK,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": None},
    {"name": []},
    {"x": {"x": {"x": {}}}},
    deep(60),
    [1] * 20_000,
)
TOKENS = (
    b"[" * 100_000,
    b"{" * 5_000,
    b'{"a":' * 5_000,
    b"NaN",
    b"Infinity",
    b"1e999",
    b"9" * 5_000,
    b"\xff\xfe",
    b"\0",
    b"\r\n",
    b"\n\n",
    b"null",
    b'"\\ud800"',
    b"- ? : & * ! | > ' \" % @ `",
    b"&a [*a]",
    b"? [x]\n: y\n",
    b"!!binary x",
    b"<<: 1",
    b"1002-",
    b"0000 ",
    b"8001 ",
    b" " * 10_000,
)


def structure(document: Json, dice: random.Random) -> Json:
    """A copy with one to three parts changed."""
    changed = copy.deepcopy(document)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        changed = _once(changed, dice)
    return changed


def _once(document: Json, dice: random.Random) -> Json:
    found = list(places(document))
    if not found or dice.random() < 0.01:
        return value(dice)
    holder, key = dice.choice(found)
    match dice.randrange(6):
        case 0 | 1:
            holder[key] = value(dice)
        case 2:
            del holder[key]
        case 3:
            other, there = dice.choice(found)
            holder[key] = copy.deepcopy(other[there]) if there in _keys(other) else None
        case 4 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case 4:
            holder[dice.choice(("", "x", "\0", ATTACK, "x" * 5000))] = holder.pop(key)
        case _:
            holder[key] = _another_type(holder[key])
    return document


def places(document: Json) -> Any:
    """Every (container, key) of it."""
    stack = [document]
    while stack:
        holder = stack.pop()
        for key in _keys(holder):
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def _keys(holder: Json) -> Any:
    return (
        list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
    )


def value(dice: random.Random) -> Json:
    return copy.deepcopy(dice.choice(VALUES))


def _another_type(old: Json) -> Json:
    if isinstance(old, str):
        return old.encode("utf-8", "replace").decode("latin-1")[:200] + "\0" if len(old) % 2 else [old]
    if isinstance(old, bool):
        return str(old)
    if isinstance(old, int | float):
        return str(old)
    return {"0": old} if isinstance(old, list) else [old]


def octets(data: bytes, dice: random.Random) -> bytes:
    """A copy with one to four places changed."""
    broken = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(broken) + 1)
        match dice.randrange(5):
            case 0:
                broken[at : at + 1] = bytes((dice.randrange(256),))
            case 1:
                del broken[at : at + dice.choice((1, 2, 8, 64))]
            case 2:
                broken[at:at] = dice.choice(TOKENS)
            case 3:
                end = dice.randrange(len(broken) + 1)
                broken[at:at] = broken[min(at, end) : max(at, end)][:4096]
            case _:
                del broken[at:]
    return bytes(broken[: 1 << 20])


def text_of(document: Json) -> str:
    """As somebody else's encoder writes it: NaN and half characters included."""
    try:
        return json.dumps(document)
    except ValueError:  # an integer of more digits than Python writes
        return "9" * 5000
