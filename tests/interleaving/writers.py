"""The second writers: everybody and everything that may act between any two requests of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bgpctl.kube import lease, paths
from bgpctl.runbooks.journal import ANNOTATION
from tests.interleaving import seeded
from tests.interleaving.models import World

NODE = paths.node(seeded.NODE)
LEASE = paths.lease(lease.NAMESPACE, lease.name_for(seeded.NODE))
Document = dict[str, Any]
Writer = Callable[[World], None]


def _metadata(sim: World, **changes: Callable[[dict[str, str]], None]) -> None:
    def change(old: Document) -> Document:
        metadata = dict(old["metadata"])
        for part, edit in changes.items():
            values = dict(metadata.get(part) or {})
            edit(values)
            metadata[part] = values
        return {**old, "metadata": metadata}

    sim.modify(NODE, change)
    sim.changed()


def label_back(sim: World) -> None:
    """A GitOps controller puts the label back."""
    _metadata(sim, labels=lambda labels: labels.update({seeded.LABEL: "true"}))


def uncordon(sim: World) -> None:
    node = sim.node()
    if node is None or not node["spec"].get("unschedulable"):
        return
    if ANNOTATION not in (node["metadata"].get("annotations") or {}) and not sim.copied():
        sim.prior_cordon = False  # an admin's own, before bgpctl had a hand in it
    sim.modify(
        NODE, lambda old: {**old, "spec": {k: v for k, v in old["spec"].items() if k != "unschedulable"}}
    )
    sim.changed()


def place_pod(sim: World) -> None:
    """The scheduler: a new pod, where pods are welcome."""
    node = sim.node()
    if node is None or node["spec"].get("unschedulable"):
        return
    sim.pods += 1
    pod = seeded.pod(f"new-{sim.pods}")
    sim.create(paths.pod("default", f"new-{sim.pods}"), pod)


def move_pod(sim: World) -> None:
    """A pod of a StatefulSet comes up on the other node, with the same name."""
    path = paths.pod("default", "web-1")
    sim.delete(path)
    sim.create(path, seeded.pod("web-1", kind="StatefulSet", node=seeded.OTHER))


def kubelet_status(sim: World) -> None:
    """Many status patches on the Node."""
    for number in range(3):
        sim.modify(NODE, lambda old, n=number: {**old, "status": {**old["status"], "beat": n + sim.turns}})


def label_other(sim: World) -> None:
    """Somebody labels the node for a reason of his own."""
    _metadata(sim, labels=lambda labels: labels.update({"zone": f"z{sim.turns}"}))


def remove_journal(sim: World) -> None:
    """`kubectl annotate node worker-1 bgpctl.io/run-`, in the belief that it was a leftover."""
    if not sim.lease_removed:
        _metadata(sim, annotations=lambda annotations: annotations.pop(ANNOTATION, None))
        sim.journal_removed = True


def remove_lease(sim: World) -> None:
    if not sim.journal_removed:
        sim.delete(LEASE)
        sim.lease_removed = True


def replace_node(sim: World) -> None:
    """The Node is deleted, and a machine of the same name joins."""
    sim.delete(NODE)
    sim.delete(LEASE)  # its owner is gone
    sim.delete(paths.node_state(seeded.NODE))
    sim.changed()
    sim.replaced = True
    sim.prior_cordon = False
    sim.later(sim.rng.uniform(0.1, 3.0), lambda: _join(sim))


def _join(sim: World) -> None:
    if sim.node() is None:
        fresh = seeded.node(seeded.NODE)
        sim.create(NODE, fresh)
        sim.changed()


def restart_speaker(sim: World) -> None:
    sim.speaker.restart(sim.rng.uniform(0.5, 4.0))


def hang_speaker(sim: World) -> None:
    sim.speaker.hung = True

    def wake() -> None:
        sim.speaker.hung = False
        sim.speaker.react()

    sim.later(sim.rng.choice((5.0, 400.0)), wake)


def kill_speaker(sim: World) -> None:
    if sim.speaker.alive:
        sim.speaker.kill()
        sim.later(sim.rng.choice((3.0, 30.0, 400.0)), sim.speaker.start)


def maintain_router(sim: World) -> None:
    """The router's session goes down for its own maintenance."""
    sim.routers[seeded.ROUTER].maintenance(sim.rng.choice((1.0, 5.0, 60.0)))


def silence_probe(sim: World) -> None:
    """The router cannot be asked for a while."""
    router = sim.routers[seeded.ROUTER]
    router.answers = False
    sim.later(sim.rng.uniform(1, 20), lambda: setattr(router, "answers", True))


def add_peer(sim: World) -> None:
    """The policy gets a second router."""
    sim.modify(
        seeded.POLICY, lambda old: {**old, "spec": seeded.policy(seeded.ROUTER, seeded.SECOND)["spec"]}
    )
    sim.changed()


def _peers(sim: World, *addresses: str) -> None:
    if sim.find(seeded.POLICY):
        sim.modify(seeded.POLICY, lambda old: {**old, "spec": seeded.policy(*addresses)["spec"]})
        sim.changed()


def remove_peer(sim: World) -> None:
    """Of two routers, or of one that was added a moment ago."""
    _peers(sim, sim.rng.choice((seeded.ROUTER, seeded.SECOND)))


def replace_router(sim: World) -> None:
    """The policy names the new one, and a little later the old one no more."""
    _peers(sim, seeded.ROUTER, seeded.SECOND)
    sim.later(sim.rng.uniform(0.0, 3.0), lambda: _peers(sim, seeded.SECOND))


def maintain_second(sim: World) -> None:
    sim.routers[seeded.SECOND].maintenance(sim.rng.choice((1.0, 5.0, 60.0)))


def silence_second(sim: World) -> None:
    router = sim.routers[seeded.SECOND]
    router.answers = False
    sim.later(sim.rng.uniform(1, 20), lambda: setattr(router, "answers", True))


def restart_api(sim: World) -> None:
    """The API server is away for a few requests, and answers 403, 429 or 503 while it starts."""
    sim.down = [0, *(sim.rng.choice((0, 403, 429, 503)) for _ in range(sim.rng.randint(0, 4)))]


def lose_answer(sim: World) -> None:
    """The next request is carried out, and its answer does not arrive."""
    sim.losing = True


WRITERS: tuple[Writer, ...] = (
    label_back,
    uncordon,
    place_pod,
    move_pod,
    kubelet_status,
    label_other,
    remove_journal,
    remove_lease,
    replace_node,
    restart_speaker,
    hang_speaker,
    kill_speaker,
    maintain_router,
    silence_probe,
    add_peer,
    remove_peer,
    replace_router,
    maintain_second,
    silence_second,
    restart_api,
    lose_answer,
)
