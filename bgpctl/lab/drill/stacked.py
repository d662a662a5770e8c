"""Nodes with another stack: its real engine and the lab's emulation of its controllers in a process of each
node's own, and an API server beside them, which the power of no node takes away."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bgpctl.lab import seed, stacks
from bgpctl.lab.drill.nodes import NODE, Place
from bgpctl.lab.routers import RouterSpec
from bgpctl.lab.routers.process import die_with_parent
from bgpctl.lab.stacks import alone
from bgpctl.lab.stacks.spec import Timers
from bgpctl.lab.traffic.network import Host
from bgpctl.lab.waiting import until

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts
    from bgpctl.core.timing.withdrawal import Close
    from bgpctl.kube.client import Client
    from bgpctl.ports import Provider
    from bgpctl.queries.estimates import Known

REPORTS_SECONDS = 30.0
"""An agent of Cilium's says after 5 s what it negotiated."""

LABELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cilium": ({seed.LABEL: "true"}, {seed.LABEL: None}),
}
"""Of a Node that is to speak BGP, and of one that is not. The stacks that a drill can have."""


class Stacked:
    """As `nodes.Nodes`. `control`: the host of the API server."""

    def __init__(
        self, parts: ExitStack, stack: str, place: Place, control: Host, router: RouterSpec, probe: str
    ) -> None:
        self._stack, self._place, self._control = stack, place, control
        setting = place.setting
        self._timers = Timers(setting.hold, setting.keepalive, setting.restart, setting.notification)
        self._site = self._applied(parts, router, probe)

    def _applied(self, parts: ExitStack, router: RouterSpec, probe: str) -> stacks.Site:
        from bgpctl.lab.api import ApiServer

        directory, hosts = self._place.directory, self._place.hosts
        kubeconfig = directory / "kubeconfig"
        with self._control.inside():
            api = parts.enter_context(ApiServer(host=self._control.address))
        api.write_kubeconfig(kubeconfig)
        nodes = tuple(stacks.Node(name, host.address, "") for name, host in hosts.items())
        site = stacks.Site(directory, nodes, router, probe, kubeconfig, timers=self._timers)
        documents = stacks.choose(self._stack).documents(site)
        api.apply(*seed.cluster([host.address for host in hosts.values()], documents))
        return site

    # --- what runs on the nodes ---------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """As after a boot: nothing is left of what was there."""
        directory, host = self._place.directory, self._place.hosts[name]
        shutil.rmtree(directory / name, ignore_errors=True)
        (directory / name).mkdir()
        words = (self._stack, str(directory), name, host.address, self._place.routers[name])
        with host.inside(), (directory / f"{name}.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", alone.__name__, *words, json.dumps(self._timers_told)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's ^C is for us alone
                preexec_fn=die_with_parent(os.getpid()),
            )

    @property
    def _timers_told(self) -> list[Any]:
        told = self._timers
        return [told.hold, told.keepalive, told.restart, told.notification]

    def kill(self) -> None:
        """SIGKILL to agent and engine, which are one process in Cilium."""
        for pid in set(self._place.hosts[NODE].pids()) - {self._place.answering[NODE]}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """An agent that ends on purpose closes the connection and says nothing (`withdrawal.Close`), so that
        graceful restart works."""
        self.kill()

    def end(self) -> None:
        """What runs in a namespace ends with it."""

    def runs(self) -> bool:
        return (self._place.directory / NODE / alone.STARTED).exists()

    def last_words(self, name: str) -> str:
        log = self._place.directory / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1] if lines else "it said nothing"

    # --- what is asked of the API server ------------------------------------------------------------------

    @cached_property
    def _client(self) -> Client:
        return self._site.client()

    @cached_property
    def _provider(self) -> Provider:
        from bgpctl import providers

        return providers.named(self._client, self._stack)

    def select(self, selected: bool) -> None:
        from bgpctl.kube import paths

        labels = LABELS[self._stack][0 if selected else 1]
        with self._control.inside():
            self._client.patch(paths.node(NODE), {"metadata": {"labels": labels}})

    def backends(self, present: bool) -> None:
        raise NotImplementedError("its endpoints are the API server's")

    def facts(self) -> PeerFacts:
        """As it reports them; what it does not tell is unknown."""
        until(lambda: self._known().peers[0].negotiated, REPORTS_SECONDS, f"{NODE} reports its session")
        (facts,) = self._known().peers
        return facts

    @property
    def close(self) -> Close | None:
        """Cilium since 1.16 sends a Hard Reset where the N bit is negotiated, and the forecast counts on it.
        The gobgpd that stands for it here sends a plain Cease, as older ones do (measured on GoBGP 3.10)."""
        from bgpctl.core.timing.withdrawal import Close

        found = self._known().close
        return Close.CEASE if found is Close.HARD_RESET else found

    def _known(self) -> Known:
        from bgpctl.kube import paths
        from bgpctl.queries.estimates import peers_of

        with self._control.inside():
            document = self._client.find(paths.node(NODE))
            assert document is not None, "nobody deletes it"
            return peers_of(self._provider, document)
