"""What the stacks' own `prepare` would clear away or mend: the doctor says it, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bgpctl.core.doctor.facts import Leftover
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.kube.client import Client
from bgpctl.providers.changes import Change

BY_POLICIES = {"bgpctl", "cilium"}
CHANGES = ("create", "keep")  # what is missing was never asked for


def leftovers(client: Client, stacks: Sequence[str]) -> tuple[Leftover, ...]:
    """Of the stacks that are in the cluster. Raises BgpctlError where one cannot tell."""
    return tuple(left for name in stacks if name in _PREPARES for left in _left(client, name))


def _left(client: Client, name: str) -> Iterator[Leftover]:
    for change in _PREPARES[name](client):
        if change.verb not in CHANGES:
            gone = change.verb != "update"
            yield Leftover(change.name, change.why, f"bgpctl {name} prepare", gone)


def _cilium(client: Client) -> tuple[Change, ...]:
    from bgpctl.providers import cilium_copies

    return cilium_copies.prepared(client)


def _calico(client: Client) -> tuple[Change, ...]:
    from bgpctl.providers import calico_prepare

    return calico_prepare.prepared(client)


_PREPARES: Mapping[str, Callable[[Client], tuple[Change, ...]]] = {"cilium": _cilium, "calico": _calico}


def fleet_of_policies(client: Client, stacks: Sequence[str]) -> Fleet | None:
    """What nodes run by the policies alone, for whoever may not list Services; None where no stack of these
    runs by them."""
    from bgpctl.providers import policies

    if not BY_POLICIES & set(stacks):
        return None
    return Fleet(policies.read_policies(client)[0])


def selectors_of(fleet: Fleet) -> Mapping[str, LabelSelector | None]:
    """What selects nodes, by name."""
    from bgpctl.providers import policies

    return policies.selectors(fleet.objects.policies, fleet.objects.cluster_configs)
