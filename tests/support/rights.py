"""The real commands in one process, as a user of the embedded API who has exactly the roles of an install."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

from bgpctl.install.rights import Right, rights_of
from bgpctl.install.roles import name_of_role, roles_of
from bgpctl.lab.api.rbac import GROUP
from bgpctl.lab.api.requests import Answer
from bgpctl.runbooks import world as worlds
from tests.support import direct, objects, second_writer
from tests.support.cli import inside
from tests.support.direct import Asked
from tests.support.second_writer import NODE, Rig

USER = "somebody"
Used = tuple[str, str, str, str]
"""verb, group, resource, namespace"""


@dataclass
class Person:
    """Somebody with rights. `used` are those that were asked for, `refused` those that were not there."""

    rig: Rig
    used: set[Used] = field(default_factory=set)
    refused: set[Used] = field(default_factory=set)

    def give(self, rights: Sequence[Right], name: str = "role") -> None:
        """These, and no others any more."""
        self.rig.server.apply(*granted(rights, name))

    def wire(self) -> direct.Wire:
        return direct.Wire(self.rig.api, user=USER, after=self._after)

    def _after(self, asked: Asked, answer: Answer) -> None:
        if asked.target is None or asked.target.group == "authorization.k8s.io":
            return
        what = (asked.verb, asked.target.group, asked.resource, asked.target.namespace)
        (self.refused if answer.code == 403 else self.used).add(what)

    def types(self, *words: str) -> tuple[int, str]:
        """A command line: exit code, and all that was printed."""
        build = partial(worlds.build, clock=self.rig.clock, background=False)
        with (
            mock.patch("bgpctl.cli.wire.client", lambda given: self.wire().client()),
            mock.patch.object(worlds, "build", build),
        ):
            return inside(*words, kubeconfig=Path("/dev/null"))


def granted(rights: Sequence[Right], name: str) -> Iterator[dict[str, object]]:
    """The roles, bound to the user."""
    subject = {"kind": "User", "name": USER, "apiGroup": GROUP}
    for role in roles_of(name, rights):
        yield role
        kind = role["kind"]
        reference = {"apiGroup": GROUP, "kind": kind, "name": name}
        yield {
            "apiVersion": f"{GROUP}/v1",
            "kind": f"{kind}Binding",
            "metadata": dict(role["metadata"]),
            "roleRef": reference,
            "subjects": [subject],
        }


@contextmanager
def cluster() -> Iterator[Rig]:
    """A node in service, and what commands look at: a Service with an endpoint, a pod, a namespace."""
    with second_writer.running() as rig:
        rig.server.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "medik8s-leases"}},
            objects.service("web", "203.0.113.10", ports=[{"port": 80}]),
            objects.endpoint_slice("web", objects.endpoint(NODE, ready=True)),
            *_workload(),
        )
        yield rig


def _workload() -> Iterator[dict[str, object]]:
    """What the doctor looks at on every node: the DaemonSet of the speakers, and a pod of it."""
    labels = {"app.kubernetes.io/name": "bgpctl-speaker"}
    container = {"name": "speaker", "image": "localhost/bgpctl:1"}
    meta = {"name": "speaker", "namespace": "kube-system"}
    template = {"metadata": {"labels": labels}, "spec": {"hostNetwork": True, "containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    yield {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": spec}
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "speaker", "uid": "u", "controller": True}
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "labels": labels, "ownerReferences": [owner]},
        "spec": {"nodeName": NODE, "hostNetwork": True, "containers": [container]},
        "status": {"phase": "Running"},
    }


def role_of(role: str, extras: Sequence[str] = ()) -> tuple[Right, ...]:
    """As an install into `bgpctl-system` has it."""
    return rights_of(role, extras, "bgpctl-system")


def without(rights: Sequence[Right], gone: Right) -> tuple[Right, ...]:
    """One verb on one resource less, whichever row gave it."""
    each = [one for right in rights for one in right.each()]
    key = (gone.verbs, gone.group, gone.resources, gone.namespace)
    return tuple(one for one in each if (one.verbs, one.group, one.resources, one.namespace) != key)


__all__ = ["USER", "Person", "cluster", "granted", "name_of_role", "role_of", "without"]
