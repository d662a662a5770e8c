"""Container images of the lab: none is ever pulled, but it takes its time, and a kubelet says so."""

from __future__ import annotations

from dataclasses import dataclass, field

from bgpctl.lab.api.documents import Document, name_of, namespace_of
from bgpctl.lab.api.strategy import generated_name


@dataclass(slots=True)
class Images:
    """What registries have, for all kubelets; a test sets it. `seconds`: how long a node takes for an image,
    by (node, image) or by image; one that is not in here takes no time, and nobody speaks of it. `missing`:
    images that no registry has."""

    seconds: dict[str | tuple[str, str], float] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    there: set[tuple[str, str]] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    def pulls(self, pod: Document, node: str) -> float | None:
        """For how many seconds it waits for its images; None: it has nothing to wait for. With `Always` an
        image that is there is asked for again, which takes no time (its digest is)."""
        takes = [self._takes(container, node) for container in pod["spec"]["containers"]]
        known = [seconds for seconds in takes if seconds is not None]
        return sum(known) if known else None

    def _takes(self, container: Document, node: str) -> float | None:
        image = container["image"]
        seconds = self.seconds.get((node, image), self.seconds.get(image))
        if seconds is None or (node, image) not in self.there:
            return seconds
        return 0.0 if container.get("imagePullPolicy") == "Always" else None

    def lacks(self, pod: Document) -> str:
        """The image of it that no registry has, "" = all are to be had."""
        return next((c["image"] for c in pod["spec"]["containers"] if c["image"] in self.missing), "")

    def arrived(self, pod: Document, node: str) -> bool:
        """Its images are there now. False: that was told of this pod before."""
        uid = pod["metadata"]["uid"]
        new = uid not in self._told
        self._told.add(uid)
        self.there |= {(node, container["image"]) for container in pod["spec"]["containers"]}
        return new


def pulled_event(pod: Document, node: str, seconds: float) -> Document:
    """As a kubelet words it (k8s.io/kubernetes pkg/kubelet/images/image_manager.go)."""
    image, took = pod["spec"]["containers"][0]["image"], f"{round(seconds * 1000)}ms"
    message = (
        f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: 1 bytes.'
    )
    return {
        "metadata": {"name": generated_name(name_of(pod) + ".")},
        "involvedObject": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": pod["metadata"]["uid"],
        },
        "type": "Normal",
        "reason": "Pulled",
        "message": message,
        "source": {"component": "kubelet", "host": node},
    }
