"""Text of flags -> values: durations, KEY=VALUE, peer profiles, shutdown commands. Says what is allowed.

typer turns the errors raised here into "Invalid value for '--timeout': …" and exit code 2.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

import typer

from bgpctl.core.reading.durations import seconds
from bgpctl.errors import UsageError

if TYPE_CHECKING:
    from bgpctl.core.model import IPAddress
    from bgpctl.core.timing.profiles import Profile

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")

LONGEST_RESTART = 4095
DURATIONS = "write 30s, 10m, 1h, 1h30m or a number of seconds"


def duration(text: str | float) -> float:
    """Seconds. Accepts what kubectl accepts (30s, 1h30m, 500ms) and plain seconds."""
    if isinstance(text, int | float):
        return float(text)
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; {DURATIONS}.") from None


def positive_duration(text: str | float) -> float:
    """A duration that is not zero."""
    length = duration(text)
    if length <= 0:
        raise typer.BadParameter(f"it must be longer than 0; {DURATIONS}.")
    return length


def chunk(text: str | int) -> int:
    """Objects of a list that are asked for at once; 0 = all."""
    if re.fullmatch(r"[0-9]{1,7}", str(text)):
        return int(text)
    raise typer.BadParameter(f"{text!r} is no number of objects; write 500, or 0 for all at once.")


def deadline(text: str | float) -> float:
    """A duration until a run gives up; 0, as kubectl has it, is no deadline: infinity."""
    return duration(text) or inf


def reason(text: str) -> str:
    """A line of words for others, as the journal keeps it."""
    from bgpctl.core.policy.annotations import LONGEST_REASON, valid_reason

    if not valid_reason(text.strip()):
        raise typer.BadParameter(f"write 1 to {LONGEST_REASON} characters on one line, for people to read.")
    return text.strip()


def graceful_restart(text: str) -> str:
    """A Restart Time in whole seconds, 1..4095 (12 bits, RFC 4724 section 3), or "off"; as it was written."""
    if text == "off" or (re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= LONGEST_RESTART):
        return text
    raise typer.BadParameter(f"{text!r} is no Restart Time; write 1 to {LONGEST_RESTART} seconds, or off.")


def listing(*formats: str) -> Callable[[str], str]:
    """A parser of -o where lists are printed: one of `formats`, name, or jsonpath=TEMPLATE. What completes it
    finds them as its `choices`."""
    choices = (*formats, "name", "jsonpath=")

    def parser(text: str) -> str:
        from bgpctl.core.reading.jsonpath import parse

        if not text.startswith("jsonpath="):
            if text in choices:
                return text
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(choices)}TEMPLATE.")
        template = text.removeprefix("jsonpath=")
        if not template:
            raise typer.BadParameter("it has no template; write jsonpath='{.nodes[*].node}'.")
        try:
            parse(template)
        except ValueError as error:
            raise typer.BadParameter(f"{template}: {error}.") from None
        return text

    parser.choices = choices  # type: ignore[attr-defined]
    return parser


def label_change(text: str) -> str:
    """KEY=VALUE, or KEY- to remove the label; the syntax of Kubernetes labels."""
    key, equals, value = text.partition("=")
    if not equals and key.endswith("-"):
        key = key[:-1]
    elif not equals:
        raise typer.BadParameter(f"{text!r} is not a label change; write KEY=VALUE, or KEY- to remove it.")
    if not _LABEL.fullmatch(key) or not _VALUE.fullmatch(value):
        raise typer.BadParameter(
            f"{text!r} is not a valid label; keys look like example.com/enable-bgp or enable-bgp, and values "
            "have at most 63 letters, digits, '-', '_' and '.'."
        )
    return text


def pod_selector(text: str) -> str:
    """A label selector as kubectl's -l takes it: what the API server would refuse is refused here."""
    from bgpctl.core.reading.selectors import parse_selector

    try:
        parse_selector(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{error}; write app=web, 'tier in (a,b)' or !key, with commas between."
        ) from None
    return text


def image(text: str) -> str:
    """The name of a container image."""
    from bgpctl.core.reading.images import RULE, valid_image

    if not valid_image(text):
        raise typer.BadParameter(f"{text!r} is no name of an image; write {RULE}.")
    return text


def at_least_one(text: str | int) -> int:
    """How many nodes may be out of service: the one that is drained is among them."""
    number = int(text) if re.fullmatch(r"-?[0-9]{1,9}", str(text)) else None
    if number is None:
        raise typer.BadParameter(f"{text!r} is no number of nodes; write 1, 2 …")
    if number < 1:
        raise typer.BadParameter(
            f"with {number} no node could be drained, because it counts the drained one; write 1 or more."
        )
    return number


def command_line(
    text: str, flag: str = "--shutdown-command", example: str = "ssh {node} poweroff"
) -> tuple[str, ...]:
    """A command as typed in a shell -> its argv. No shell runs it: quotes work, pipes do not. UsageError."""
    hint = f"write a command, for example '{example}'"
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        # The text stays out of the message: it may hold a password.
        raise UsageError(f"{flag} cannot be split into words: {error}", hint) from None
    if not words:
        raise UsageError(f"{flag} is empty", hint)
    for word in re.findall(r"(?<!\$)\{(\w+)\}", text):
        if word != "node" and difflib.get_close_matches(word.lower(), ("node", "nodename")):
            raise UsageError(f"{flag}: {{{word}}} stays as it is; the node's name is {{node}}", hint)
    if "…" in text:
        raise UsageError(f"{flag}: … stands for words that were not kept; put your own there", hint)
    return words


def ip(text: str, flag: str = "--source-address") -> IPAddress:
    """An IP address. Raises UsageError."""
    from bgpctl.core.reading.addresses import parse_zoned

    try:
        return parse_zoned(text)
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is not an IP address", "write 192.0.2.1 or 2001:db8::1") from None


def next_hops(texts: Sequence[str]) -> tuple[IPAddress, ...]:
    """Repeated --next-hop: at most one IPv4 and one IPv6 address. Raises UsageError."""
    addresses = tuple(ip(text, "--next-hop") for text in texts)
    if len({address.version for address in addresses}) < len(addresses):
        raise UsageError("--next-hop was given twice for one IP version", "one IPv4 and one IPv6 address")
    return addresses


def profiles(texts: Sequence[str]) -> dict[str, Profile]:
    """Repeated ADDRESS=PROFILE -> profile by address. Raises UsageError for unknown ones."""
    from bgpctl.core.timing.profiles import parse_peer_profile

    return dict(parse_peer_profile(text) for text in texts)
