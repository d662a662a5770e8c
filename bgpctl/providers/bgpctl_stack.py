"""bgpctl's own speaker in a cluster: a `bgpctl.providers.stack.Stack`."""

from __future__ import annotations

from bgpctl.core.state import NodeState, timestamp
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.providers.stack import ALWAYS, Summary, any_of, lacking

TITLE = "bgpctl's speaker"
SIGN = "which reports"

NEEDED = (*ALWAYS, ("list", "bgpctl.io", "bgpnodestates", ""))
NOBODY = "no BGPNodeState is there: no bgpctl speaker was ever installed, nor another stack that is known"


def provider(client: Client) -> Provider:
    return Bgpctl(client)


def speaks(client: Client) -> bool | None:
    return any_of(client, paths.NODE_STATES)


def may_speak(client: Client) -> bool:
    return bool(speaks(client))


def on(client: Client, node: str) -> bool:
    """Not where its speaker is silent, was stopped, or waits for another stack. Raises Blocked for a state
    that cannot be read."""
    state = Bgpctl(client).state(node)
    return state is not None and alive(state, client.present())


def alive(state: NodeState, now: float) -> bool:
    """Is our speaker there? One whose object cannot be read may be."""
    return bool(state.unreadable) or not (state.stale(now) or state.phase in ("Stopped", "Waiting"))


def announcing(state: NodeState | None, now: float) -> str:
    """By what our speaker is seen that may have routes of the node at routers; "" = it has none. One that is
    silent never said that it ended."""
    if state is None or not (state.unreadable or (state.holders and not state.ended)):
        return ""
    if alive(state, now):
        return SIGN
    gone = f"if it has: kubectl delete bgpnodestate {state.node}"
    return f"silent since {timestamp(state.last_seen)}, which never said that it ended ({gone})"


def summary(client: Client) -> Summary:
    told = Bgpctl(client).states() or ()
    now = client.present()
    return Summary(
        Bgpctl.name,
        len(told),
        ", ".join(sorted({state.speaker_version for state in told if state.speaker_version})),
        "withdraws" if told else "nothing",
        "a label of the Node: the speaker withdraws every route, then closes" if told else NOBODY,
        lacking(client, NEEDED),
        at_work=frozenset(state.node for state in told if alive(state, now)),
    )
