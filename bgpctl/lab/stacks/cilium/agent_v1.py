"""Cilium's agent of one node up to 1.18, where a CiliumBGPPeeringPolicy selects it: it runs by that,
whatever its CiliumBGPNodeConfig says, and tells nothing of its sessions. While two do, nothing changes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bgpctl.core.cilium.policies import selects
from bgpctl.core.reading.documents import labels_of
from bgpctl.kube import paths
from bgpctl.lab.stacks.cilium.agent import Agent, Wanted
from bgpctl.lab.stacks.spec import Document


@dataclass
class AgentV1(Agent):
    """One round of work per `once`, as `Agent`."""

    @property
    def peers(self) -> dict[str, tuple[str, int, int]]:
        """As `Agent.peers`."""
        found = {}
        for key, (settings, _) in list(self._running.items()):
            asn, neighbor = json.loads(str(settings))
            found[key] = (neighbor["peerAddress"].partition("/")[0], neighbor["peerASN"], asn)
        return found

    def once(self) -> None:
        self._copy_labels()
        node = self.client.find(paths.node(self.node))
        if not self.obeys or node is None:
            return
        policies = self.client.items(paths.PEERING_POLICIES)
        mine = [policy for policy in policies if selects(policy, labels_of(node))]
        if len(mine) < 2:
            self._obey(self._by_policy(mine[0]) if mine else {})

    def _by_policy(self, policy: Document) -> Wanted:
        found: Wanted = {}
        chosen = tuple(self.prefixes())
        for router in policy["spec"]["virtualRouters"]:
            sends = chosen if router.get("exportPodCIDR") else ()
            for neighbor in router["neighbors"]:
                settings = json.dumps([router["localASN"], neighbor], sort_keys=True)
                found[f"{router['localASN']}/{neighbor['peerAddress']}"] = (settings, (sends, ()))
        return found
