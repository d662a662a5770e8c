"""A small cluster on loopback: embedded Kubernetes API, a BGP stack on each node, one real router.

Use it as a context manager. Nothing of it outlives the process that made it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgpctl.errors import DeadlineExceeded, UsageError
from bgpctl.lab import place, seed, stacks
from bgpctl.lab.routers import Neighbor, Router, RouterSpec, choose, make
from bgpctl.lab.stacks.speakers import Speaker, Speakers, node_state

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.lab.api.server import ApiServer

PROBES_EXTENSION = "bgpctl.io/router-probes"
READY_SECONDS = 40.0
MAX_NODES = 50


@dataclass(slots=True)
class Lab:
    """The running parts. `kubeconfig` is the file that other terminals use (0600)."""

    place: place.Place
    site: stacks.Site
    api: ApiServer
    router: Router
    kubeconfig: Path
    stack: stacks.Stack
    _client: Client | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.site.nodes)

    @property
    def speakers(self) -> list[Speaker]:
        """bgpctl's own, where they are the lab's stack."""
        return self.stack.speakers if isinstance(self.stack, Speakers) else []

    def address_of(self, node: str) -> str:
        """The loopback address from which the node peers. Raises StopIteration for an unknown node."""
        return next(one.address for one in self.site.nodes if one.name == node)

    def wait_ready(self, deadline: float = READY_SECONDS) -> None:
        """Until every node has all its sessions Established and all its routes out."""
        end = time.monotonic() + deadline
        while waiting := self.stack.waiting():
            if time.monotonic() > end:
                why = next(iter(waiting.values()))
                raise DeadlineExceeded(
                    f"{', '.join(waiting)} did not come up within {deadline:g} s: {why}",
                    "is the machine busy? try again, with fewer --nodes or another --router",
                )
            time.sleep(0.1)

    def node_state(self, node: str) -> dict[str, Any]:
        """The status of one BGPNodeState, {} while it does not exist."""
        return node_state(self.client(), node)

    def client(self) -> Client:
        """The lab's API as its administrator; made once."""
        if self._client is None:
            from bgpctl.kube.client import Client
            from bgpctl.kube.config import load_access

            self._client = Client(load_access(str(self.kubeconfig)))
        return self._client


@contextlib.contextmanager
def running(
    nodes: int = 3,
    router: str = "auto",
    kubeconfig: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
    stack: str = stacks.DEFAULT,
    *,
    graceful_restart: bool = True,
    notification: bool = False,
) -> Iterator[Lab]:
    """Start a lab, hand it out when all sessions are Established, take everything down at the end.

    `kubeconfig`: where the user wants a copy of it. `graceful_restart`, `notification`: the router's, as in
    `RouterSpec`. Everything is registered for its end before it is started, so that ^C at any moment leaves
    nothing.
    """
    if not 1 <= nodes <= MAX_NODES:
        raise UsageError(f"--nodes {nodes} is out of range", f"1..{MAX_NODES}")
    kind, driver = choose(router), stacks.choose(stack)
    with contextlib.ExitStack() as parts:
        here = parts.enter_context(place.claimed())  # what a killed one left is gone then, its file too
        if kubeconfig:
            place.refuse(kubeconfig)
        names = dict(enumerate(seed.node_names(nodes), start=1))
        those = tuple(stacks.Node(name, here.node_address(n), here.next_hop(n)) for n, name in names.items())
        spec = _router_spec(kind, here, [node.address for node in those])
        part = make(replace(spec, graceful_restart=graceful_restart, notification=notification))
        parts.callback(part.stop)
        part.start(here.directory / "router")
        say(f"router: {kind} at {here.router_address}:{place.ROUTER_PORT}, AS {seed.ROUTER_ASN}")
        site = stacks.Site(here.directory, those, part.spec, part.probe(), here.kubeconfig)
        api = _start_api(site, driver, parts)
        site = replace(site, plays=lambda commands: setattr(api, "commands", commands))
        say(f"Kubernetes API: {api.url}")
        _write_kubeconfig(here.kubeconfig, api.kubeconfig(), part.probe())
        outside = here.publish(kubeconfig) if kubeconfig else here.kubeconfig
        lab = Lab(here, site, api, part, outside, driver.make(site))
        parts.callback(lab.stack.stop)
        lab.stack.start()
        say(driver.says.format(nodes=", ".join(lab.nodes)))
        lab.wait_ready()
        yield lab


def _router_spec(kind: str, here: place.Place, addresses: list[str]) -> RouterSpec:
    return RouterSpec(
        kind=kind,
        address=here.router_address,
        port=place.ROUTER_PORT,
        asn=seed.ROUTER_ASN,
        neighbors=tuple(Neighbor(address, seed.NODE_ASN) for address in addresses),
    )


def _start_api(site: stacks.Site, driver: stacks.Driver, parts: contextlib.ExitStack) -> ApiServer:
    from bgpctl.lab.api.server import ApiServer

    api = ApiServer(tls=True)  # kubectl sends no credential over plain HTTP
    parts.callback(api.stop)
    api.start()
    api.apply(*seed.cluster([node.address for node in site.nodes], driver.documents(site)))
    return api


def _write_kubeconfig(path: Path, text: str, probe: str) -> None:
    """The API's kubeconfig plus, on its context, how to ask the lab's router. Mode 0600: it holds a token.

    The CA is a file beside it: of one that is inside, the official client would leave a copy in /tmp whenever
    it is killed.
    """
    import base64

    import yaml

    document = yaml.safe_load(text)
    authority = path.with_name(place.AUTHORITY)
    for one in document["clusters"]:
        authority.write_bytes(base64.b64decode(one["cluster"].pop("certificate-authority-data")))
        one["cluster"]["certificate-authority"] = str(authority)
    for context in document["contexts"]:
        context["context"]["extensions"] = [{"name": PROBES_EXTENSION, "extension": [probe]}]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
