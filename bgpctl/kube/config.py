"""How to reach the API: kubeconfig (contexts, exec plugins, TLS), through the official client.

Only its configuration side is used; requests go over its urllib3 pool as raw JSON (facts: typed models cost
0.7 s at start and ten times the memory). The semi-public parts used are pinned by `kubernetes>=37,<38`.
"""

from __future__ import annotations

import binascii
import contextlib
import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgpctl.errors import Temporary, UsageError

if TYPE_CHECKING:
    import urllib3

DEFAULT_KUBECONFIG = "~/.kube/config"
_LOOK = "check it with `kubectl config view`"
CONNECTIONS = 32
"""That are kept open: a speaker has a watch for each kind (the official default is 5 for each CPU)."""


@dataclass(frozen=True, slots=True)
class Access:
    """An API server that can be asked: `pool` speaks TLS as configured, `authorization` gives the header
    value of this moment (tokens rotate), `extensions` are the kubeconfig context's own. `certificate`: the
    client's, PEM, b"" where it has none. `headers`: what each request has besides."""

    host: str
    pool: urllib3.PoolManager = field(repr=False)
    authorization: Callable[[], str | None] = field(repr=False)
    extensions: Mapping[str, Any] = field(default_factory=dict)
    certificate: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    def impersonating(self, user: str, groups: Iterable[str] = ()) -> Access:
        """The same, asking as somebody else; "" = as before."""
        if not user:
            return self
        members = (("Impersonate-Group", group) for group in groups)
        return replace(self, headers=(("Impersonate-User", user), *members))


def load_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """kubectl's rules: the flag, then $KUBECONFIG (a list), then ~/.kube/config; in a pod without any of
    them, the service account. Raises UsageError, and no message quotes a document: it holds credentials."""
    named = _named(kubeconfig)
    paths = files(kubeconfig)
    present = [path for path in paths if os.path.exists(path)]
    if kubeconfig and not present:
        raise UsageError(
            f"kubeconfig {kubeconfig} does not exist", "pass --kubeconfig PATH of a readable file"
        )
    if present:
        from bgpctl.kube.plainconfig import plain_access

        plain = plain_access(present[0], context) if len(present) == 1 else None
        return plain or _from_kubeconfig(present, context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and not context:
        from bgpctl.kube.incluster import in_cluster

        return in_cluster()
    raise UsageError(
        f"no kubeconfig found ({named} does not exist)" + ("" if context else " and this is not a pod"),
        "pass --kubeconfig PATH, set KUBECONFIG, or try `bgpctl lab up`",
    )


def files(kubeconfig: str | None = None) -> list[str]:
    """The kubeconfig files of the flag, of $KUBECONFIG (a list), or the default one, there or not."""
    return [os.path.expanduser(path) for path in _named(kubeconfig).split(os.pathsep) if path]


def current_context(kubeconfig: str | None = None) -> str:
    """The context that is used where none is named; "" = none, or nobody can read which."""
    import yaml

    for path in files(kubeconfig):
        with contextlib.suppress(OSError, ValueError, yaml.YAMLError):
            found = yaml.load(Path(path).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
            if isinstance(found, dict) and isinstance(name := found.get("current-context"), str) and name:
                return name
    return ""


def _named(kubeconfig: str | None) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG


def _from_kubeconfig(paths: list[str], context: str | None) -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException

    configuration = Configuration()
    shown = os.pathsep.join(paths).replace(os.path.expanduser("~"), "~", 1)
    try:
        loader = _loader(paths, context)
        with _collect_errors() as errors:
            loader.load_and_set(configuration)
        extensions = _extensions(loader)
        has_server = bool(loader._cluster.safe_get("server"))
    except ConfigException as error:
        words = _words(error)
        look = "see `kubectl config get-contexts`" if "context" in words else _LOOK
        raise UsageError(f"kubeconfig {shown}: {words}", look) from None
    except OSError as error:
        if isinstance(error, IsADirectoryError) and error.filename in paths:
            raise UsageError(
                f"kubeconfig {shown} is a directory", "pass --kubeconfig PATH of a file"
            ) from None
        named = error.filename or "a file"
        raise UsageError(f"kubeconfig {shown}: {named}: {error.strerror}", "make it readable") from None
    except Exception as error:
        raise UsageError(f"kubeconfig {shown} cannot be read ({_place(error)})", _LOOK) from None
    if not has_server:
        raise UsageError(f"kubeconfig {shown}: the cluster has no server", "add `server: https://…` to it")
    _require_credential(loader, configuration, errors, shown)
    _require_certificates(configuration, shown)
    try:
        return _access(configuration, extensions)
    except (ValueError, ImportError):  # an address that is none, or SOCKS, which needs another library
        raise UsageError(
            f"kubeconfig {shown}: the proxy-url of its cluster cannot be used", "write it as http://HOST:PORT"
        ) from None


def _loader(paths: list[str], context: str | None) -> Any:
    """The official merger lets the last current-context win and refuses empty files; kubectl takes the first
    one and passes over them."""
    from kubernetes.config import ConfigException, kube_config

    full = [path for path in paths if os.path.isdir(path) or os.path.getsize(path)]
    if not full:
        raise ConfigException("the file is empty")
    merger = kube_config.KubeConfigMerger(os.pathsep.join(full))
    files = merger.config_files.values()
    current = context or next((c["current-context"] for c in files if c.get("current-context")), None)
    if current is None:
        raise ConfigException("there is no current-context: pass --context NAME")
    return kube_config.KubeConfigLoader(
        config_dict=merger.config, config_base_path=None, active_context=current
    )


def _words(error: Exception) -> str:
    """The official loader names a node of the document by all of its content, the token included."""
    text = str(error).partition("{")[0].removeprefix("Invalid kube-config file. ").strip()
    if missing := re.fullmatch(r"Expected object with name (.+) in \S*/(context|user|cluster)s list", text):
        return f"there is no {missing[1]} among its {missing[2]}s"
    return text.rstrip("/") if text else "it is not a valid kubeconfig"


def _place(error: Exception) -> str:
    """What kind of error and where; yaml's and binascii's messages quote what they choke on."""
    if mark := getattr(error, "problem_mark", None):
        return f"not YAML, line {mark.line + 1}"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    return "one of its …-data is not base64" if isinstance(error, binascii.Error) else type(error).__name__


def _require_credential(loader: Any, configuration: Any, errors: list[str], shown: str) -> None:
    """The official client goes on anonymously when an exec plugin fails (drain.md §4.5); we do not."""
    user = loader._user.value if loader._user else None
    if not user or configuration.api_key or configuration.cert_file:
        return
    if not isinstance(user, Mapping):
        raise UsageError(f"kubeconfig {shown}: the user is no mapping", _LOOK)
    if any(str(key).startswith("client-certificate") for key in user):
        return  # unused, because the server speaks plain HTTP
    detail = errors[-1].splitlines()[0] if errors else "it gave no credential"
    if "exec" in user:
        plugin = user["exec"]
        command = (plugin.get("command") if isinstance(plugin, Mapping) else None) or "(no command)"
        raise UsageError(
            f"the credential plugin {command!r} of kubeconfig {shown} failed: {detail}",
            "nothing was sent; run the plugin by hand, or log in again",
        )
    raise UsageError(
        f"kubeconfig {shown}: no usable credential in the user's {', '.join(sorted(map(str, user)))}",
        "nothing was sent; bgpctl takes a token, a client certificate, an exec plugin or oidc",
    )


def _require_certificates(configuration: Any, shown: str) -> None:
    """What OpenSSL would only say when it is asked something, and in its own words."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bad = ""
    try:
        if configuration.verify_ssl and configuration.ssl_ca_cert:
            bad = "certificate-authority is no certificate"
            context.load_verify_locations(configuration.ssl_ca_cert)
        if configuration.cert_file:
            bad = "client-certificate and client-key are no pair of certificate and key"
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except ssl.SSLError:
        raise UsageError(f"kubeconfig {shown}: the {bad} in PEM", _LOOK) from None


def _extensions(loader: Any) -> dict[str, Any]:
    context = loader._current_context.value.get("context") or {}
    return {e.get("name"): e.get("extension") for e in context.get("extensions") or ()}


@contextlib.contextmanager
def _collect_errors() -> Iterator[list[str]]:
    """The official loader reports through logging.error; keep that off the user's terminal."""
    errors: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage())

    root = logging.getLogger()
    collector, handlers, level = Collector(), root.handlers[:], root.level
    root.handlers[:] = [collector]
    try:
        yield errors
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _access(configuration: Any, extensions: Mapping[str, Any] | None = None) -> Access:
    from kubernetes.client.rest import RESTClientObject
    from kubernetes.config import ConfigException

    # Retries are ours (errors.Temporary): urllib3 would sleep through Retry-After without telling anybody.
    configuration.retries = False
    configuration.socket_options = keepalive()
    configuration.connection_pool_maxsize = CONNECTIONS
    if not configuration.verify_ssl:
        accept_insecure()
    refreshing = threading.Lock()

    def authorization() -> str | None:
        try:
            with refreshing:  # one run of the plugin, not one for each watch
                bearer = configuration.auth_settings().get("BearerToken")
        except (OSError, ConfigException) as error:
            raise Temporary(f"the credential could not be renewed: {error}", "log in again") from None
        # A token file ends with a newline, which no header may hold.
        return str(bearer["value"]).strip() if bearer and bearer["value"] else None

    pool = RESTClientObject(configuration).pool_manager
    return Access(
        configuration.host.rstrip("/"),
        pool,
        authorization,
        extensions or {},
        _octets(configuration.cert_file),
    )


def _octets(path: str | None) -> bytes:
    try:
        return Path(path).read_bytes() if path else b""
    except OSError:
        return b""


def keepalive() -> list[tuple[int, int, int]]:
    """Options of a connection that notices within a minute that nobody is there any more: a watch only reads,
    and would wait until its server's own time is up."""
    from urllib3.connection import HTTPConnection

    return [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    ]


def accept_insecure() -> None:
    """insecure-skip-tls-verify is the user's word; kubectl does not comment on each request either."""
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
