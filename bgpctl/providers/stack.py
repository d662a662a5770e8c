"""What `bgpctl.providers.TABLE` and `bgpctl providers` have to know of a BGP stack beside its Provider."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bgpctl.kube import paths, rights
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import permitted
from bgpctl.ports import Provider

Right = tuple[str, str, str, str]
"""Verb, API group, resource, namespace."""

ALWAYS: tuple[Right, ...] = (
    ("patch", "", "nodes", ""),
    ("create", "", "pods/eviction", ""),
    ("create", "coordination.k8s.io", "leases", "kube-system"),
)
"""What every drain needs, whoever speaks BGP."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One stack. `nodes`: on how many it speaks, as far as it tells; `at_work`: the names of those on
    which another one may not. `lever` withdraws, closes, or nothing; `why` one sentence about it. `missing`:
    rights that a drain needs, "patch nodes". `notes`: what else somebody should look at."""

    provider: str
    nodes: int
    version: str
    lever: str
    why: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    at_work: frozenset[str] = frozenset()


class Stack(Protocol):
    """A module `NAME_stack.py`. `TITLE`: its name for people. `SIGN`: by what it is seen on a node, after a
    comma.

    `speaks`: does it on any node now? None = the API server knows none of its kinds, or shows us none.
    `may_speak`: could it, though it does on none (all of them were taken out)? `on`: does it on this node?"""

    @property
    def TITLE(self) -> str: ...
    @property
    def SIGN(self) -> str: ...
    def provider(self, client: Client) -> Provider: ...
    def speaks(self, client: Client) -> bool | None: ...
    def may_speak(self, client: Client) -> bool: ...
    def on(self, client: Client, node: str) -> bool: ...
    def summary(self, client: Client) -> Summary: ...


def any_of(client: Client, *versions: str) -> bool | None:
    """Is there an object in the first of these collections that is served and shown to us? None: none is."""
    for path in versions:
        try:
            return bool(client.get(path, limit="1").get("items"))
        except NotFound:
            continue
        except ApiError as error:
            if error.code != 403:
                raise
    return None


def lacking(client: Client, needed: Iterable[Right]) -> tuple[str, ...]:
    """The rights that are not ours, for people."""
    return tuple(f"{right[0]} {right[2]}" for right in needed if not rights.may(client, *right))


_TAG = re.compile(r":(v?\d[\w.-]*)$")


def image_tag(client: Client, container: str) -> str:
    """The version of a DaemonSet's container of this name, by its image's tag; "" = not told."""
    for one in permitted(client, paths.DAEMONSETS) or ():
        pod = ((one.get("spec") or {}).get("template") or {}).get("spec") or {}
        named = (c for c in pod.get("containers") or () if c.get("name") == container)
        images = [str(c.get("image") or "") for c in named]
        if images and (tag := _TAG.search(images[0].partition("@")[0])):
            return tag[1]
    return ""
