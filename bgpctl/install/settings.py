"""What may be chosen about an install: one table of keys, their kinds and defaults. Pure.

The same table is the chart's values and their schema, and the list in docs/install.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from bgpctl import __version__
from bgpctl.core.reading.durations import seconds
from bgpctl.errors import UsageError
from bgpctl.install.rights import EXTRAS

Value = str | bool | tuple[str, ...]

NAMESPACE = "bgpctl-system"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# As a container runtime reads it: [HOST[:PORT]/]PATH[:TAG][@DIGEST] (distribution's reference grammar).
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?")
_UNITS = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SUBJECT = re.compile(r"(user|group):[^\s,:/][^\s,]{0,252}|serviceaccount:[a-z0-9.-]+/[a-z0-9.-]+")
_PAIR = re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=[A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+")
LONGEST = 2048  # characters of one value


@dataclass(frozen=True, slots=True)
class Setting:
    """`kind`: text, flag or words. `allowed` says in words what fits, and `fits` whether a text (of words:
    each of them) does; `choices`: the only ones, where there are few. `pattern`: what each word matches as a
    whole, for a schema; "" = no regular expression tells it."""

    default: Value
    help: str
    allowed: str = ""
    fits: Callable[[str], bool] = lambda text: True
    choices: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def kind(self) -> str:
        """text, flag or words"""
        return {bool: "flag", tuple: "words"}.get(type(self.default), "text")

    def read(self, text: str) -> Value:
        """Raises ValueError with what is allowed."""
        if self.kind == "flag":
            if text not in ("true", "false"):
                raise ValueError("true or false")
            return text == "true"
        words = tuple(filter(None, text.split(","))) if self.kind == "words" else (text,)
        for word in words:
            if not self._takes(word):
                raise ValueError(self.allowed or f"one of: {', '.join(self.choices)}")
        return words if self.kind == "words" else text

    def _takes(self, word: str) -> bool:
        if len(word) > LONGEST or not word.isprintable():
            return False
        return word in self.choices if self.choices else self.fits(word)


def _whole(pattern: re.Pattern[str], longest: int = LONGEST) -> Callable[[str], bool]:
    return lambda text: len(text) <= longest and pattern.fullmatch(text) is not None


def _listens(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    number = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536
    return bool(colon) and number and (not host or _address(host.strip("[]")))


def _address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _lasts(text: str) -> bool:
    try:
        return seconds(text) >= 0
    except ValueError:
        return False


_QUANTITIES = "a quantity of Kubernetes: 64Mi, 250m"
_SUBJECTS = "user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME, with commas between them"
_SECRETS = "names of Secrets, with commas between them"

SETTINGS: Mapping[str, Setting] = {
    "image": Setting(
        f"localhost/bgpctl:{__version__}",
        "The image of bgpctl. No public one exists: the default must have been loaded into every node.",
        "an image: REGISTRY/NAME:TAG",
        _whole(_IMAGE, 512),
        pattern=_IMAGE.pattern,
    ),
    "imagePullPolicy": Setting(
        "IfNotPresent", "When it is pulled.", choices=("Always", "IfNotPresent", "Never")
    ),
    "imagePullSecrets": Setting(
        (),
        "Secrets of the namespace to pull it with.",
        _SECRETS,
        _whole(_SUBDOMAIN, 253),
        pattern=_SUBDOMAIN.pattern,
    ),
    "createNamespace": Setting(True, "Make the namespace (kube-system and default are never made)."),
    "crds": Setting(
        "all",
        "all: BGPNodeState and the five BGP kinds of Cilium; own: BGPNodeState alone, where Cilium installed "
        "its own; none.",
        choices=("all", "own", "none"),
    ),
    "engine": Setting(
        "external",
        "external: ExaBGP has a DaemonSet of its own, and nothing that happens to the speaker's touches a "
        "session. own: it ends with its speaker.",
        choices=("external", "own"),
    ),
    "directory": Setting(
        "/var/lib/bgpctl",
        "Where a node keeps what has to outlive the pods (hostPath).",
        "an absolute path",
        _whole(_PATH, 200),
    ),
    "listen": Setting(
        ":9180",
        "Where /healthz, /readyz and /metrics are served, on the node's own network.",
        ":PORT or ADDRESS:PORT",
        _listens,
    ),
    "authSecrets": Setting(
        (),
        "The Secrets with the peers' TCP MD5 passwords: those alone may be read. None: none is.",
        _SECRETS,
        _whole(_SUBDOMAIN, 253),
        pattern=_SUBDOMAIN.pattern,
    ),
    "authSecretsNamespace": Setting(
        "kube-system", "Where they are.", "a namespace", _whole(LABEL), pattern=LABEL.pattern
    ),
    "gracefulShutdownSoak": Setting(
        "0s", "Announce with GRACEFUL_SHUTDOWN for so long before a node leaves.", "a duration: 5s", _lasts
    ),
    "besideAnotherStack": Setting(False, "Begin on a node though another BGP stack has it."),
    "logFormat": Setting("json", "How log lines are written.", choices=("json", "text")),
    "logLevel": Setting("info", "The least that is logged.", choices=("debug", "info", "warning", "error")),
    "runAsRoot": Setting(
        False,
        "Run as root with the one capability NET_BIND_SERVICE: only for peers with a localPort below 1024.",
    ),
    "nodeSelector": Setting(
        ("kubernetes.io/os=linux",),
        "On which nodes it runs.",
        "KEY=VALUE, with commas between them",
        _whole(_PAIR),
        pattern=_PAIR.pattern,
    ),
    "cpuRequest": Setting(
        "50m", "Of each container.", _QUANTITIES, _whole(_QUANTITY, 32), pattern=_QUANTITY.pattern
    ),
    "memoryRequest": Setting(
        "64Mi", "Of each container.", _QUANTITIES, _whole(_QUANTITY, 32), pattern=_QUANTITY.pattern
    ),
    "memoryLimit": Setting(
        "256Mi",
        "Of each container. Speaker and engine together take 56 MB with 100 Services, 95 MB with 10,000.",
        _QUANTITIES,
        _whole(_QUANTITY, 32),
        pattern=_QUANTITY.pattern,
    ),
    "extras": Setting(
        (),
        f"Rights that not every cluster needs: {', '.join(EXTRAS)}.",
        f"of these, with commas between them: {', '.join(EXTRAS)}",
        choices=tuple(EXTRAS),
    ),
    "readers": Setting((), "Who may look.", _SUBJECTS, _whole(_SUBJECT), pattern=_SUBJECT.pattern),
    "nodeOperators": Setting(
        (), "Who may drain and restore nodes.", _SUBJECTS, _whole(_SUBJECT), pattern=_SUBJECT.pattern
    ),
    "admissionPolicy": Setting(
        True, "A speaker may write the BGPNodeState of its own node only (Kubernetes 1.30 or newer)."
    ),
    "networkPolicy": Setting(
        False,
        "Let nothing in to the namespace's pods. It does not hold those on the host's network, as ours are.",
    ),
    "monitoring": Setting(
        False,
        "A PodMonitor and a PrometheusRule for the Prometheus operator, and dashboards (ConfigMaps) for "
        "Grafana's sidecar.",
    ),
}


@dataclass(frozen=True, slots=True)
class Options:
    """A namespace, and a value for every key of SETTINGS."""

    namespace: str
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def options(namespace: str = NAMESPACE, given: Sequence[str] = ()) -> Options:
    """From texts `KEY=VALUE`, of which the last of a key counts. Raises UsageError for the first that does
    not fit, with what does."""
    if not LABEL.fullmatch(namespace):
        raise UsageError(
            f"{namespace!r} is no name of a namespace", "small letters, digits and -, at most 63 of them"
        )
    values: dict[str, Value] = {key: setting.default for key, setting in SETTINGS.items()}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in SETTINGS:
            raise _unknown(text, key, equals)
        try:
            values[key] = SETTINGS[key].read(value)
        except ValueError as error:
            raise UsageError(f"--set {key}: {value!r} is not allowed", f"write {error}") from None
    least, most = values["memoryRequest"], values["memoryLimit"]
    if _octets(str(least)) > _octets(str(most)):
        raise UsageError(
            f"--set memoryRequest: {least} is more than memoryLimit, which is {most}",
            f"choose both, for example --set memoryRequest={least} --set memoryLimit={least}",
        )
    return Options(namespace, values)


def _octets(quantity: str) -> float:
    """Of a quantity that _QUANTITY took."""
    number = quantity.rstrip("mkKMGi")
    return float(number) * _UNITS[quantity.removeprefix(number)]


def _unknown(text: str, key: str, equals: str) -> UsageError:
    if not equals:
        return UsageError(f"--set {text!r} is not KEY=VALUE", "for example --set logLevel=debug")
    near = difflib.get_close_matches(key.lower(), (one.lower() for one in SETTINGS), 1)
    meant = next((one for one in SETTINGS if near and one.lower() == near[0]), "")
    return UsageError(
        f"--set: there is no {key!r}" + (f"; did you mean {meant}?" if meant else ""),
        f"there are: {', '.join(SETTINGS)}",
    )


def texts(values: Options) -> Iterable[str]:
    """What was chosen and is not the default, as it would be typed."""
    for key, setting in SETTINGS.items():
        if (value := values[key]) != setting.default:
            yield f"{key}={typed(value)}"


def typed(value: Value) -> str:
    """A value as it is written behind KEY=."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ",".join(value)
