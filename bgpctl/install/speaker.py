"""The DaemonSets: the engine, which keeps the sessions, and the speaker, which decides. Pure.

They are two because whatever changes a pod's template ends all of its containers: in one pod an upgrade of
the speaker would end the engine too. The engine's is replaced by hand only (OnDelete), node by node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgpctl.core.drain.restart import APART
from bgpctl.install.labels import ENGINE, SPEAKER, labels, meta
from bgpctl.install.settings import Options

Document = dict[str, Any]

USER = 65532  # nobody's, as distroless images have it
LEAVE_SECONDS = 5
"""So long an engine goes on after it is told to end: the speaker of a node that shuts down withdraws then."""
PLACE = "place"
_PROGRAM = ["bgpctl"]


def daemon_sets(chosen: Options) -> tuple[Document, ...]:
    """One, or two with an engine apart."""
    if chosen["engine"] == "own":
        return (_daemon_set(chosen, SPEAKER, _speaker(chosen), {"type": "RollingUpdate", **_ONE_AT_A_TIME}),)
    return (
        _daemon_set(chosen, ENGINE, _engine(chosen), {"type": "OnDelete"}),
        _daemon_set(chosen, SPEAKER, _speaker(chosen), {"type": "RollingUpdate", **_ONE_AT_A_TIME}),
    )


_ONE_AT_A_TIME = {"rollingUpdate": {"maxUnavailable": 1}}


def _daemon_set(chosen: Options, name: str, container: Document, strategy: Document) -> Document:
    own = {"app.kubernetes.io/name": name}
    apart = APART if name == SPEAKER and chosen["engine"] == "external" else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": meta(chosen, name),
        "spec": {
            "selector": {"matchLabels": own},
            "updateStrategy": strategy,
            "template": {
                "metadata": {"labels": {**labels(chosen), **own, **apart}},
                "spec": _pod(chosen, name, container),
            },
        },
    }


def _pod(chosen: Options, name: str, container: Document) -> Document:
    pulls = [{"name": secret} for secret in chosen["imagePullSecrets"]]
    nodes = chosen["nodeSelector"]
    return {
        "serviceAccountName": name,
        **({} if name == SPEAKER else {"automountServiceAccountToken": False}),
        **({"imagePullSecrets": pulls} if pulls else {}),
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        **({"nodeSelector": dict(pair.split("=", 1) for pair in nodes)} if nodes else {}),
        "terminationGracePeriodSeconds": 30,
        "securityContext": _who(chosen) | {"seccompProfile": {"type": "RuntimeDefault"}},
        **({} if chosen["runAsRoot"] else {"initContainers": [_prepare(chosen)]}),
        "containers": [container],
        "volumes": [
            {"name": PLACE, "hostPath": {"path": chosen["directory"], "type": "DirectoryOrCreate"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
    }


def _who(chosen: Options) -> Document:
    """The engine and the speaker are one user: their directory is for nobody else."""
    if chosen["runAsRoot"]:
        return {"runAsUser": 0, "runAsGroup": 0}
    return {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER}


def _prepare(chosen: Options) -> Document:
    """A hostPath belongs to root: this makes the directory in it, gives it away, and ends."""
    arguments = ["speaker", "engine", "prepare", "--directory", _own(chosen), "--user", str(USER)]
    return {
        "name": "prepare",
        **_image(chosen),
        "command": _PROGRAM,
        "args": arguments,
        "securityContext": _confined("CHOWN") | {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0},
        "resources": _resources(chosen),
        "volumeMounts": _mounts(chosen),
    }


def _engine(chosen: Options) -> Document:
    """It announces what the last speaker told it, for as long as it lives."""
    return {
        "name": "engine",
        **_image(chosen),
        "command": _PROGRAM,
        "args": ["speaker", "engine", "run", "--directory", _own(chosen)],
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVE_SECONDS}}},
        "securityContext": _confined(*_ports(chosen)),
        "resources": _resources(chosen),
        "volumeMounts": _mounts(chosen),
    }


def _speaker(chosen: Options) -> Document:
    probed = {"port": int(chosen["listen"].rpartition(":")[2]), **_host(chosen["listen"])}
    return {
        "name": "speaker",
        **_image(chosen),
        "command": _PROGRAM,
        "args": _arguments(chosen),
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "ports": [{"name": "metrics", "containerPort": probed["port"], "protocol": "TCP"}],
        # Long enough for a slow start; a speaker that hangs is ended after a minute, and its sessions stay.
        "startupProbe": _probe("/healthz", probed, periodSeconds=2, failureThreshold=60),
        "livenessProbe": _probe("/healthz", probed, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _probe("/readyz", probed, periodSeconds=5, failureThreshold=3),
        "securityContext": _confined(*(_ports(chosen) if chosen["engine"] == "own" else ())),
        "resources": _resources(chosen),
        "volumeMounts": _mounts(chosen),
    }


def _arguments(chosen: Options) -> list[str]:
    """In the order of `speaker run --help`; the node's name comes from the environment."""
    found = ["speaker", "run", "--in-cluster", "--listen", chosen["listen"]]
    if chosen["gracefulShutdownSoak"] not in ("0s", "0"):
        found += ["--graceful-shutdown-soak", chosen["gracefulShutdownSoak"]]
    if chosen["besideAnotherStack"]:
        found += ["--beside-another-stack"]
    found += ["--secrets-namespace", chosen["authSecretsNamespace"]]
    found += ["--auth-secrets", ",".join(chosen["authSecrets"])]
    found += ["--directory", _own(chosen), "--engine", chosen["engine"]]
    return [*found, "--log-format", chosen["logFormat"], "--log-level", chosen["logLevel"]]


def _own(chosen: Options) -> str:
    """Below the mounted directory, because that one stays root's."""
    return f"{chosen['directory']}/speaker"


def _image(chosen: Options) -> Document:
    return {"image": chosen["image"], "imagePullPolicy": chosen["imagePullPolicy"]}


def _ports(chosen: Options) -> tuple[str, ...]:
    return ("NET_BIND_SERVICE",) if chosen["runAsRoot"] else ()


def _confined(*capabilities: str) -> Document:
    added = {"add": list(capabilities)} if capabilities else {}
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], **added},
    }


def _resources(chosen: Options) -> Document:
    return {
        "requests": {"cpu": chosen["cpuRequest"], "memory": chosen["memoryRequest"]},
        "limits": {"memory": chosen["memoryLimit"]},
    }


def _mounts(chosen: Options) -> list[Document]:
    return [{"name": PLACE, "mountPath": chosen["directory"]}, {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108


def _host(listen: str) -> Mapping[str, str]:
    """A kubelet asks the node's address, where it is not told another one: itself, on the host's network."""
    host = listen.rpartition(":")[0].strip("[]")
    return {"host": host} if host not in ("", "0.0.0.0", "::") else {}


def _probe(path: str, where: Document, **more: int) -> Document:
    return {"httpGet": {"path": path, **where}, "timeoutSeconds": 3, **more}
