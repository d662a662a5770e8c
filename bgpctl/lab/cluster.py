"""A small cluster of real parts on loopback: embedded Kubernetes API, real speakers, one real router.

Use it as a context manager. Nothing of it outlives the process that made it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgpctl.errors import BgpctlError, DeadlineExceeded, UsageError
from bgpctl.lab import place, seed
from bgpctl.lab.routers import Neighbor, Router, RouterSpec, choose, make
from bgpctl.lab.speakers import Speaker, stop_all

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
    api: ApiServer
    router: Router
    kubeconfig: Path
    speakers: list[Speaker] = field(default_factory=list)
    _client: Client | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(speaker.node for speaker in self.speakers)

    def address_of(self, node: str) -> str:
        """The loopback address that the node's speaker uses. Raises StopIteration for an unknown node."""
        return next(speaker.address for speaker in self.speakers if speaker.node == node)

    def wait_ready(self, deadline: float = READY_SECONDS) -> None:
        """Until every speaker runs with all sessions Established and all routes out."""
        end = time.monotonic() + deadline
        while waiting := [s for s in self.speakers if not self._serving(s.node)]:
            for speaker in waiting:
                if speaker.died():
                    raise BgpctlError(f"the speaker of {speaker.node} ended: {speaker.last_words()}")
            if time.monotonic() > end:
                names = ", ".join(s.node for s in waiting)
                raise DeadlineExceeded(
                    f"{names} did not come up within {deadline:g} s: {waiting[0].last_words()}",
                    "is the machine busy? try again, with fewer --nodes or another --router",
                )
            time.sleep(0.1)

    def _serving(self, node: str) -> bool:
        state = self.node_state(node)
        if state.get("phase") != "Running" or not state.get("peers"):
            return False
        return all(
            peer["state"] == "established"
            and peer["announced"] == peer["intended"]
            and peer.get("endOfRIBSent")
            for peer in state["peers"]
        )

    def node_state(self, node: str) -> dict[str, Any]:
        """The status of one BGPNodeState, {} while it does not exist."""
        from bgpctl.kube import paths

        document = self.client().find(paths.node_state(node))
        return dict((document or {}).get("status") or {})

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
) -> Iterator[Lab]:
    """Start a lab, hand it out when all sessions are Established, take everything down at the end.

    `kubeconfig`: where the user wants a copy of it. Everything is registered for its end before it is
    started, so that ^C at any moment leaves nothing.
    """
    if not 1 <= nodes <= MAX_NODES:
        raise UsageError(f"--nodes {nodes} is out of range", f"1..{MAX_NODES}")
    kind = choose(router)
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(place.claimed())
        addresses = [here.node_address(number) for number in range(1, nodes + 1)]
        part = make(_router_spec(kind, here, addresses))
        stack.callback(part.stop)
        part.start(here.directory / "router")
        say(f"router: {kind} at {here.router_address}:{place.ROUTER_PORT}, AS {seed.ROUTER_ASN}")
        api = _start_api(here, addresses, stack)
        say(f"Kubernetes API: {api.url}")
        _write_kubeconfig(here.kubeconfig, api.kubeconfig(), part.probe())
        lab = Lab(here, api, part, here.publish(kubeconfig) if kubeconfig else here.kubeconfig)
        stack.callback(stop_all, lab.speakers)
        for number, name in enumerate(seed.node_names(nodes), start=1):
            address, hop = here.node_address(number), here.next_hop(number)
            lab.speakers.append(Speaker(name, address, here.directory / name, here.kubeconfig, hop))
            lab.speakers[-1].start()
        say(f"speakers: {', '.join(lab.nodes)}, AS {seed.NODE_ASN}, each with its own ExaBGP")
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


def _start_api(here: place.Place, addresses: list[str], stack: contextlib.ExitStack) -> ApiServer:
    from bgpctl.lab.api.server import ApiServer

    api = ApiServer(tls=True)  # kubectl sends no credential over plain HTTP
    stack.callback(api.stop)
    api.start()
    api.apply(*seed.crds())
    api.apply(*seed.cluster(addresses, here.router_address, place.ROUTER_PORT))
    return api


def _write_kubeconfig(path: Path, text: str, probe: str) -> None:
    """The API's kubeconfig plus, on its context, how to ask the lab's router. Mode 0600: it holds a token.

    The CA is a file beside it: of one that is inside, the official client would leave a copy in /tmp whenever
    it is killed.
    """
    import base64

    import yaml

    document = yaml.safe_load(text)
    authority = path.with_name("ca.crt")
    for one in document["clusters"]:
        authority.write_bytes(base64.b64decode(one["cluster"].pop("certificate-authority-data")))
        one["cluster"]["certificate-authority"] = str(authority)
    for context in document["contexts"]:
        context["context"]["extensions"] = [{"name": PROBES_EXTENSION, "extension": [probe]}]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
