"""The forms in which BGP control planes write: a table of readers, line -> fields. Pure.

Ours and Cilium's lines name their subsystem, as logfmt or as one JSON object; GoBGP in kube-router the topic
of a peer; MetalLB's speaker writes JSON with a caller; FRR names its daemon after the time; calico-node puts
the program before what its BIRD says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Fields = dict[str, str]

SUBSYSTEMS = ("bgp-control-plane", "bgp-cp-operator")

# Where a word begins, and nowhere inside it: a long word without `=` is looked through once.
_PAIR = re.compile(r'(?<!\S)([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
# FRR's `log file` and `log stdout`: 2026/11/23 18:32:55.803 BGP: [M59KS-A3ZXZ] %ADJCHANGE: …
_FRR = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) BGP: (?:\[[A-Z0-9]{5}-[A-Z0-9]{5}\] ?)?(.*)",
    re.ASCII,
)
_BIRD = re.compile(r"(bird6?): (?:\S+ \S+ )??(?:<(\w+)> )?(.*)", re.ASCII)
_NOTED = ("%NOTIFICATION", "%MAXPFX")
_ABOUT_BGP = ("peer", "peerASN", "localASN")


def fields(line: str) -> Fields | None:
    """The fields of a BGP control plane's line, whoever wrote it; None for every other."""
    text = line.strip()
    if text.startswith("{"):
        document = _document(text)
        return _tagged(document) or _metallb(document)
    return next((found for form in FORMS if (found := form(text))), None)


def _tagged(found: Fields) -> Fields | None:
    return found if found.get("subsys") in SUBSYSTEMS or found.get("Topic") == "Peer" else None


def _metallb(found: Fields) -> Fields | None:
    """Its speaker writes about layer 2 and Services, too: a line about BGP names the peer, an AS number, or
    BGP itself."""
    about = any(key in found for key in _ABOUT_BGP) or found.get("protocol") == "bgp"
    said = any("bgp" in found.get(key, "").lower() for key in ("msg", "op", "event"))
    return found if "caller" in found and (about or said) else None


def _logfmt(text: str) -> Fields | None:
    return _tagged({key: _unquoted(value) for key, value in _PAIR.findall(text)})


def _frr(text: str) -> Fields | None:
    """Its clock is that of its container, which is UTC."""
    if not (found := _FRR.fullmatch(text)):
        return None
    year, month, day, time, said = found.groups()
    level = "warning" if said.startswith(_NOTED) else "info"
    return {"time": f"{year}-{month}-{day}T{time}Z", "level": level, "msg": said}


def _bird(text: str) -> Fields | None:
    if not (found := _BIRD.fullmatch(text)):
        return None
    program, level, said = found.groups()
    return {"level": _LEVELS.get(level or "", "info"), "msg": said, "program": program}


_LEVELS: Mapping[str, str] = {
    **dict.fromkeys(("WARN", "RMT", "AUTH"), "warning"),
    **dict.fromkeys(("ERR", "BUG", "FATAL"), "error"),
}

FORMS: tuple[Callable[[str], Fields | None], ...] = (_logfmt, _frr, _bird)


def _document(text: str) -> Fields:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {key: v if isinstance(v, str) else json.dumps(v) for key, v in document.items()}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except (ValueError, RecursionError):
        return value.strip('"')  # Go escapes that JSON does not have
