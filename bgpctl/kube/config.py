"""How to reach the API: kubeconfig (contexts, exec plugins, TLS) or in-cluster, through the official client.

Only its configuration side is used; requests go over its urllib3 pool as raw JSON (facts: typed models cost
0.7 s at start and ten times the memory). The semi-public parts used are pinned by `kubernetes>=37,<38`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bgpctl.errors import UsageError

if TYPE_CHECKING:
    import urllib3

DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Access:
    """An API server that can be asked: `pool` speaks TLS as configured, `authorization` gives the header
    value of this moment (tokens rotate), `extensions` are the kubeconfig context's own."""

    host: str
    pool: urllib3.PoolManager
    authorization: Callable[[], str | None]
    extensions: Mapping[str, Any] = field(default_factory=dict)


def load_access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """kubectl's rules: the flag, then $KUBECONFIG (a list), then ~/.kube/config; in a pod without any of
    them, the service account."""
    filename = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    paths = [os.path.expanduser(path) for path in filename.split(os.pathsep) if path]
    if kubeconfig and not os.path.exists(paths[0]):
        raise UsageError(
            f"kubeconfig {kubeconfig} does not exist", "pass --kubeconfig PATH of a readable file"
        )
    if any(os.path.exists(path) for path in paths):
        return _from_kubeconfig(os.pathsep.join(paths), context)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster()
    raise UsageError(
        f"no kubeconfig found ({filename} does not exist) and this is not a pod",
        "pass --kubeconfig PATH, set KUBECONFIG, or try `bgpctl lab up`",
    )


def in_cluster() -> Access:
    """The service account of the pod we run in."""
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise UsageError(f"not in a cluster: {error}", "use --kubeconfig PATH outside a pod") from None
    return _access(configuration)


def _from_kubeconfig(filename: str, context: str | None) -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, kube_config

    configuration = Configuration()
    shown = filename.replace(os.path.expanduser("~"), "~", 1)
    try:
        loader = kube_config._get_kube_config_loader(filename=filename, active_context=context)
        with _collect_errors() as errors:
            loader.load_and_set(configuration)
    except ConfigException as error:
        raise UsageError(f"kubeconfig {shown}: {error}", "see `kubectl config get-contexts`") from None
    except OSError as error:
        raise UsageError(f"kubeconfig {shown}: {error.strerror}", "") from None
    except Exception as error:
        # yaml's and binascii's errors quote the document, which holds credentials
        raise UsageError(
            f"kubeconfig {shown} cannot be read ({type(error).__name__})",
            "check it with `kubectl config view`",
        ) from None
    _require_credential(loader, configuration, errors, shown)
    return _access(configuration, _extensions(loader))


def _require_credential(loader: Any, configuration: Any, errors: list[str], shown: str) -> None:
    """The official client goes on anonymously when an exec plugin fails (drain.md §4.5); we do not."""
    user = loader._user
    if not user or "exec" not in user:
        return
    if configuration.api_key or configuration.cert_file:
        return
    command = user["exec"].safe_get("command") or "(no command)"
    detail = errors[-1].splitlines()[0] if errors else "it gave no credential"
    raise UsageError(
        f"the credential plugin {command!r} of kubeconfig {shown} failed: {detail}",
        "nothing was sent; run the plugin by hand, or log in again",
    )


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

    # Retries are ours (errors.Temporary): urllib3 would sleep through Retry-After without telling anybody.
    configuration.retries = False
    configuration.keep_alive = True

    def authorization() -> str | None:
        bearer = configuration.auth_settings().get("BearerToken")
        if bearer and bearer["value"]:
            return str(bearer["value"])
        basic = configuration.get_basic_auth_token() if configuration.username else None
        return str(basic) if basic else None

    pool = RESTClientObject(configuration).pool_manager
    return Access(configuration.host.rstrip("/"), pool, authorization, extensions or {})
