"""What `bgpctl explain` is asked about, as it is typed: a prefix, or an object as kubectl names it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bgpctl.core.model import IPNetwork, host_network
from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.errors import UsageError

KINDS = {
    "Service": ("svc", "service", "services"),
    "Pod": ("po", "pod", "pods"),
    "Node": ("no", "node", "nodes"),
}
_KIND = {word: kind for kind, words in KINDS.items() for word in words}
FORMS = "write a prefix (203.0.113.7/32), svc/NAMESPACE/NAME, pod/NAMESPACE/NAME or node/NAME"
NEAR = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """`prefix`, or the `name` of an object of one of `kinds`; `namespace` "" for a Node alone."""

    kinds: tuple[str, ...] = ()
    name: str = ""
    namespace: str = ""
    prefix: IPNetwork | None = None


def parse_asked(text: str, namespace: str = "") -> Asked:
    """The argument, with the namespace of the flag ("" = not given, "default" counts). Raises UsageError."""
    if (prefix := _prefix(text)) is not None:
        return Asked(prefix=prefix)
    kind, slash, rest = text.partition("/")
    if slash and kind in _KIND:
        return _named((_KIND[kind],), rest, namespace, text)
    return _named(tuple(KINDS), text, namespace, text)


def _named(kinds: tuple[str, ...], rest: str, namespace: str, text: str) -> Asked:
    space, slash, name = rest.rpartition("/")
    if not name or "/" in space or (slash and not space) or (slash and kinds == ("Node",)):
        raise UsageError(f"{text!r} is neither a prefix nor an object", FORMS)
    if space and namespace and space != namespace:
        raise UsageError(
            f"{text!r} is in namespace {space}, and --namespace says {namespace}", "give one of them"
        )
    spaced = tuple(kind for kind in kinds if kind != "Node") if space or namespace else kinds
    return Asked(spaced or kinds, name, space or namespace or "default")


def _prefix(text: str) -> IPNetwork | None:
    """None for what is none. An address is the prefix that it alone is in."""
    try:
        return host_network(parse_address(text))
    except ValueError:
        pass
    try:
        loose = parse_network(text, strict=False)
    except ValueError:
        _refuse_length(text)
        return None
    try:
        return parse_network(text)
    except ValueError:
        raise UsageError(
            f"{text} is no prefix: it has bits set behind its /{loose.prefixlen}",
            f"write {loose}, or {text.partition('/')[0]} for the address",
        ) from None


def _refuse_length(text: str) -> None:
    """An address with a length that is none is no object in a namespace of that name."""
    address = text.partition("/")[0]
    try:
        bits = parse_address(address).max_prefixlen
    except ValueError:
        return
    raise UsageError(
        f"{text} is no prefix: its length is none from 0 to {bits}", f"write {address} for the address"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Of what exists that which is spelt most like it, for a message; "none" where nothing is."""
    from difflib import get_close_matches

    there = sorted(set(known))
    few = len(there) <= NEAR
    close = there if few else get_close_matches(name, there, NEAR, 0.4) or there[:NEAR]
    more = len(there) - len(close)
    return ", ".join(close) + (f" and {more} more" if more else "") if there else "none"
