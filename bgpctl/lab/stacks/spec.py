"""What a BGP stack of the lab is, and what it is brought up on. Values and a Protocol; the stacks act."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from bgpctl.lab import seed
from bgpctl.lab.routers.spec import RouterSpec

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.lab.api.exec import Commands

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the lab: the loopback address from which it peers, and the next hop that it announces."""

    name: str
    address: str
    next_hop: str


@dataclass(frozen=True, slots=True)
class Timers:
    """How the nodes' sessions are configured, in seconds. `restart` None = without graceful restart.
    `notification`: with the N bit (RFC 8538)."""

    hold: int = seed.HOLD_SECONDS
    keepalive: int = seed.KEEPALIVE_SECONDS
    restart: int | None = seed.RESTART_SECONDS
    notification: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stack is brought up: nodes, whose files go below `directory`; one router, which runs already
    (`probe`: the text for `witness.parse_probe`); an API server, once it is there, by its `kubeconfig`.
    `plays`: hands that server what answers for the commands that are run in containers. `timers`: of its
    sessions, for stacks that take them (Cilium)."""

    directory: Path
    nodes: tuple[Node, ...]
    router: RouterSpec
    probe: str
    kubeconfig: Path
    plays: Callable[[Commands], None] = lambda commands: None
    timers: Timers = Timers()

    def client(self) -> Client:
        """Another one at each call: a controller has its own."""
        from bgpctl.kube.client import Client
        from bgpctl.kube.config import load_access

        return Client(load_access(str(self.kubeconfig)))


class Stack(Protocol):
    """A stack on all nodes of a site. `start` returns when everything of it runs, `waiting` tells which nodes
    do not serve yet, each with the reason in one line (raises BgpctlError where none ever will); nodes serve
    when their sessions are up, the router has all routes, and the stack's own objects say so. `revive`, as
    the kubelet would, starts again what ended, with a sentence for each. `stop` may come at any time, also
    before the end of `start`, and leaves nothing that runs. `logs`: where they are, for people."""

    @property
    def logs(self) -> str: ...
    def start(self) -> None: ...
    def waiting(self) -> Mapping[str, str]: ...
    def revive(self) -> Iterator[str]: ...
    def stop(self) -> None: ...


@runtime_checkable
class Opening(Protocol):
    """A stack that runs for a while before it speaks BGP: `opened` once every node tries to."""

    def opened(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Driver:
    """One kind of stack. `says`: one line on what runs on `{nodes}`; what is emulated says so. `missing`:
    what to type where its engine is not installed, "" = it is. `documents`: its CRDs and objects, in the
    order in which they must be applied; they are there before `make`'s stack starts. `prepare`: the bgpctl
    commands that an operator types once, before the first drain. `drains` False: nothing makes one node of it
    withdraw, and bgpctl refuses; it runs where the lab's label is, and taking that away stops it."""

    name: str
    says: str
    missing: Callable[[], str]
    documents: Callable[[Site], Iterable[Document]]
    make: Callable[[Site], Stack]
    prepare: tuple[tuple[str, ...], ...] = ()
    drains: bool = True
