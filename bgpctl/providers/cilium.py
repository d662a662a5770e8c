"""Cilium's BGP control plane (v2 API, 1.16 and newer): read from its CiliumBGPNodeConfigs, made to withdraw
by them where `bgpctl cilium prepare` was run, else made to close by the label that its policies select by.
Nodes that only an older policy selects are `cilium_v1`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core.cilium import copies, leave, soak
from bgpctl.core.cilium.nodeconfig import ANNOTATION, KIND, SOAK_SUFFIX, Kept, NodeConfig, kept_of, read
from bgpctl.core.cilium.policies import originals, selects
from bgpctl.core.cilium.states import Settings, node_state, silent
from bgpctl.core.drain.lever import Effect, Lever, Patch
from bgpctl.core.model import SessionState
from bgpctl.core.policy.v2.peer import parse_peer_config
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import Blocked
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client, NotFound
from bgpctl.kube.optional import optional, served
from bgpctl.ports import NOTHING_KNOWN, Outlook
from bgpctl.providers import cilium_v1
from bgpctl.providers.cilium_agent import Agents
from bgpctl.providers.cilium_v1 import BOUGHT, BY_LABEL, WAY

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts
    from bgpctl.providers.policies import Selectors

Document = Mapping[str, Any]

NO_SOAK = f"{soak.PREPARE}, run a minute before, makes that possible"
UNSERVED = "the cluster serves no CiliumBGPNodeConfig: what its nodes announce is not known"
BY_COPIES = "copies"

CLOSES = (
    "Cilium closes the sessions (Hard Reset where the router sent the N bit, else Cease) and withdraws "
    "nothing before: what keeps routes over that keeps them"
)
OLDER = (
    "selects it, a CiliumBGPNodeConfig is there for it too, and no session of that one is up: which of the "
    "two Cilium runs is not known (up to 1.18 the first, from 1.19 on the second): delete the one that "
    "should not be there"
)
LOST = (
    f"it was made to withdraw, and somebody took away the annotation {ANNOTATION} that tells how it was: "
    f"delete its {KIND}, and Cilium's operator makes it anew"
)

EDITED = (
    f"advertises, and the node's peers refer to it to announce nothing: somebody edited it since; "
    f"{copies.PREPARE} takes that out again"
)


class Cilium:
    """As `bgpctl.ports.Provider`. Of 1.16 and newer, which send a Hard Reset where the N bit is negotiated:
    no older one has a CiliumBGPNodeConfig."""

    name = "cilium"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._collection = ""  # of the CiliumBGPNodeConfigs, once it is known which version is served
        self._may_patch: bool | None = None
        self._agents = Agents(client)

    # -- reading

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        settings = read_settings(self._peer_configs())
        if there := [document for name in names if (document := self._find(name))]:
            found = tuple(_state(document, settings) for document in there)
            if {state.node for state in found} == set(names):
                return found
        for collection in paths.NODE_CONFIGS:
            with contextlib.suppress(NotFound):
                # Of thousands of nodes no more than a page of documents is in memory.
                told, _ = self._client.read_list(collection, {}, lambda document: _state(document, settings))
                names = frozenset(state.node for state in told)
                return (*told, *cilium_v1.states(self._client, self._agents, names))
        return tuple(cilium_v1.states(self._client, self._agents, frozenset())) or None

    def state(self, node: str) -> NodeState | None:
        config = self._config(node)
        if config is None:
            older = cilium_v1.state(self._client, self._agents, node)
            return older or silent(node, self._agents.without_session(node))
        settings = read_settings(self._peer_configs())
        told = self._agents.told(config, settings) if config.withdrawn else ({}, "")
        return node_state(config, settings, *told, self._client.present())

    def outlook(self) -> Outlook:
        from bgpctl.providers import policies

        told = self.states()
        fleet, _ = policies.read_fleet(self._client)
        selecting = policies.selectors(originals(fleet.objects.policies), fleet.objects.cluster_configs)
        return Outlook(
            {state.node: state for state in told or ()},
            fleet,
            selecting,
            "" if told is not None else UNSERVED,
        )

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        """Cilium sends the N bit wherever graceful restart is on."""
        from bgpctl.core.intent.fleet import Fleet
        from bgpctl.core.timing.facts import facts_from_peer
        from bgpctl.providers import policies

        found, _ = policies.read_policies(self._client)
        peers = map(facts_from_peer, Fleet(found).bare(node).peers)
        return tuple(replace(fact, local_n=fact.restart_time is not None) for fact in peers)

    def _config(self, node: str) -> NodeConfig | None:
        document = self._find(node)
        if document is None:
            return None
        try:
            return read(document)
        except Unreadable as error:
            raise Blocked(
                f"what node {node} announces is unknown: its {KIND} cannot be read ({error.message})",
                f"to see it: kubectl get ciliumbgpnodeconfig {node} -o yaml\n"
                f"where its annotation is the trouble, the journal knows the same: "
                f"kubectl annotate ciliumbgpnodeconfig {node} {ANNOTATION}-",
            ) from None

    def _find(self, node: str) -> Document | None:
        """In the version that is served. A node without one has none in any."""
        name = paths.named(node)
        if self._collection:
            return self._client.find(f"{self._collection}/{name}")
        for collection in paths.NODE_CONFIGS:
            try:
                found = self._client.get(f"{collection}/{name}")
            except NotFound:
                continue
            self._collection = collection
            return found
        return None

    def _peer_configs(self) -> Sequence[Document]:
        return served(self._client, *paths.PEER_CONFIGS) or ()

    # -- the lever

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        from bgpctl.providers import policies

        older, selecting = self._selecting(outlook)
        config = self._config(name_of(node))
        names = tuple(name_of(one) for one in originals(older) if selects(one, labels_of(node)))
        if names and config and not prior.get(WAY) and not _runs(config):
            return Lever(names, refusal=f"CiliumBGPPeeringPolicy {', '.join(names)} {OLDER}")
        by_label = _closing(policies.label_lever(selecting, node, override), config)
        if config is None:
            plainly = replace(by_label, note=CLOSES) if by_label.label else by_label
            if override is not None or not older:
                return by_label
            present = self._client.present()
            return cilium_v1.lever(node, older, selecting, plainly, prior, present) or by_label
        # The journal goes before the annotation, which more people may write.
        kept = _prior(prior) or config.kept
        if config.withdrawn or (kept and config.emptied(kept)):
            return replace(self._out(node, config, kept, selecting), keys=by_label.keys)
        if not config.soaks and (override is not None or prior.get(WAY) == BY_LABEL):
            return by_label
        ready = copies.readiness(config, self._peer_configs(), self._client.present())
        begun = prior.get(WAY) == BY_COPIES
        if ready.missing and not begun:
            return replace(by_label, note=f"{CLOSES}; {BOUGHT}")
        if not self._allowed() and not begun:
            note = f"{CLOSES}; to withdraw first, the right to patch ciliumbgpnodeconfigs is missing"
            return replace(by_label, note=note)
        selected = by_label.policies or (config.owner or f"{KIND} {config.node}, which nobody owns",)
        if ready.missing or ready.trouble:
            return Lever(selected, refusal=_unready(ready))
        kept = config.keep(str(node["metadata"].get("uid") or ""), self._client.present(), kept)
        path = self._path(config)
        found = Lever(
            selected,
            patches=(leave.withdraw(path, config, kept),),
            prior=_kept(kept),
            objects=(path,),
            keys=by_label.keys,
        )
        if config.soaks:
            return replace(found, soaks=True, back=self._back(node, config, kept, selecting))
        if why := self._unsoaked(config):
            return replace(found, unsoaked=why)
        return replace(found, soak=(leave.soak(path, config, kept),))

    def _unsoaked(self, config: NodeConfig) -> str:
        """Why the node's peers may not refer to the copies for a soak, "" = they may."""
        there = self._peer_configs()
        if not any(name_of(one).endswith(SOAK_SUFFIX) for one in there):
            return NO_SOAK
        advertised = optional(self._client, *paths.ADVERTISEMENTS)
        ready = soak.readiness(config, there, advertised, self._client.present())
        if ready.missing:
            return NO_SOAK
        how = "run this again then" if ready.young else f"{soak.PREPARE} brings them up to date"
        return f"{ready.trouble}; {how}" if ready.trouble else ""

    def _selecting(self, outlook: Outlook | None) -> tuple[Sequence[Document], Selectors]:
        """The v1 policies; by what all but the second ones of them select nodes."""
        from bgpctl.providers import policies

        if outlook and outlook.fleet:
            return outlook.fleet.objects.policies, outlook.selectors
        peering = optional(self._client, paths.PEERING_POLICIES)
        configs = optional(self._client, *paths.CLUSTER_CONFIGS)
        return peering, policies.selectors(originals(peering), configs)

    def _out(self, node: Document, config: NodeConfig, kept: Kept | None, selecting: Selectors) -> Lever:
        """A node that was made to withdraw: what closes its sessions, and what brings it back."""
        if kept is None:
            return Lever((f"{KIND} {config.node}",), refusal=LOST)
        path = self._path(config)
        closing = leave.close(path, config)
        loud = tuple(f"CiliumBGPPeerConfig {name}" for name in copies.loud(config, self._peer_configs()))
        return Lever(
            loud,
            refusal=f"{', '.join(loud)} {EDITED}" if loud else "",
            closing=(closing,) if closing else (),
            back=self._back(node, config, kept, selecting),
            prior=_kept(kept),
            objects=(path,),
        )

    def _back(
        self, node: Document, config: NodeConfig, kept: Kept, selecting: Selectors
    ) -> tuple[Patch, ...]:
        owner = self._owner(node, kept, selecting)
        comes_back = owner is not None or not kept.owner
        return (leave.back(self._path(config), config, kept, owner),) if comes_back else ()

    def _owner(self, node: Document, kept: Kept, selecting: Selectors) -> Document | None:
        """The CiliumBGPClusterConfig to which the node goes back: the one that had it, with the UID of now;
        where that is gone, one that selects it."""
        if not kept.owner:
            return None
        labels = labels_of(node)
        others = [name for name, one in selecting.items() if one is None or one.matches(labels)]
        for name in dict.fromkeys((kept.owner, *others)):
            for collection in paths.CLUSTER_CONFIGS:
                if found := self._client.find(f"{collection}/{paths.named(name)}"):
                    return found
        return None

    def _path(self, config: NodeConfig) -> str:
        return f"{self._collection}/{paths.named(config.node)}"

    def _allowed(self) -> bool:
        if self._may_patch is None:
            self._may_patch = rights.may(self._client, "patch", "cilium.io", "ciliumbgpnodeconfigs")
        return self._may_patch


def _state(document: Document, settings: Settings) -> NodeState:
    try:
        return node_state(read(document), settings)
    except Unreadable as error:
        return NodeState(name_of(document), unreadable=error.message)


def read_settings(documents: Iterable[Document]) -> Settings:
    """By name. One that is invalid keeps what can be read of it for nobody: its peers count as without."""
    parsed = (parse_peer_config(document, name_of(document), strict=False) for document in documents)
    return {one.name: one.value for one in parsed if one.value is not None}


def _runs(config: NodeConfig) -> bool:
    """Does Cilium obey it? Not while it runs an older policy, which it ignores from 1.19 on."""
    said = (peer.reported for peer in config.peers if peer.reported)
    return config.withdrawn or any(one.state is SessionState.ESTABLISHED for one in said)


def _closing(lever: Lever, config: NodeConfig | None) -> Lever:
    """The guide's relabel: the operator deletes the CiliumBGPNodeConfig, and the agent its sessions."""
    prior = {WAY: BY_LABEL} if lever.label else {}
    unsoaked = f"Cilium closes its sessions by this lever; {NO_SOAK}, for nodes with a {KIND}"
    return replace(
        lever,
        prior=prior,
        effect=Effect.CLOSES,
        close=Close.HARD_RESET,
        unsoaked=unsoaked if lever.label else "",
    )


def _unready(ready: copies.Ready) -> str:
    if ready.missing:
        return f"the copies that its peers are to refer to have gone: run {copies.PREPARE} again"
    if ready.young:
        return f"{ready.trouble}; run this again then"
    how = f"{copies.PREPARE} brings the copies up to date; wait half a minute after it"
    return f"{ready.trouble}: {how}"


def _kept(kept: Kept) -> dict[str, Any]:
    return {WAY: BY_COPIES, **kept.document()}


def _prior(prior: Document) -> Kept | None:
    """What the journal kept; None where it has nothing of this kind."""
    try:
        return kept_of(prior) if prior.get(WAY) == BY_COPIES else None
    except Unreadable:
        return None
