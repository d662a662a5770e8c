"""What a node does with its pods: bind, start, stop. Pure decisions; the loop supplies the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_network

from bgpctl.lab.api.controllers.cluster import Cluster, terminating
from bgpctl.lab.api.controllers.images import Images, pulled_event
from bgpctl.lab.api.controllers.placement import choose, node_ready
from bgpctl.lab.api.documents import Document, clone, name_of


def addresses(node: Document, taken: Sequence[Document]) -> list[str]:
    """A free address of each of the node's pod CIDRs; none where the node has no CIDR."""
    spec = node.get("spec") or {}
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    used = {ip["ip"] for pod in taken for ip in (pod.get("status") or {}).get("podIPs") or ()}
    return [ip for ip in (_free(cidr, used) for cidr in cidrs) if ip]


def _free(cidr: str, used: set[str]) -> str | None:
    # The first host address is the node's own end of the pod network.
    hosts = ip_network(cidr, strict=False).hosts()
    next(hosts, None)
    return next((text for text in map(str, hosts) if text not in used), None)


def internal_address(node: Document) -> str:
    """The Node's first InternalIP, "" when it reports none."""
    listed = (node.get("status") or {}).get("addresses") or ()
    return next((str(a["address"]) for a in listed if a["type"] == "InternalIP"), "")


def running_status(pod: Document, node: Document, ips: Sequence[str], now: str) -> Document:
    """The status of a pod whose containers have all started and passed their probes."""
    status: Document = {
        **(pod.get("status") or {}),
        "phase": "Running",
        "startTime": now,
        "conditions": list(_conditions(now)),
        "containerStatuses": [_container(container, now) for container in pod["spec"]["containers"]],
    }
    if pod["spec"].get("hostNetwork"):
        ips = [internal_address(node)] if internal_address(node) else []
    if ips:
        status.update(podIP=ips[0], podIPs=[{"ip": ip} for ip in ips])
    if host := internal_address(node):
        status["hostIP"] = host
    return status


def _conditions(now: str) -> Iterator[Document]:
    for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"):
        yield {"type": kind, "status": "True", "lastTransitionTime": now}


def _container(container: Document, now: str) -> Document:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }


def unpulled_status(pod: Document, image: str) -> Document:
    """The status of a pod whose image no registry has."""
    message = f'failed to pull and unpack image "{image}": not found'
    waiting = {"waiting": {"reason": "ErrImagePull", "message": message}}
    names = (container["name"] for container in pod["spec"]["containers"])
    statuses = [{"name": name, "ready": False, "state": waiting} for name in names]
    return {**(pod.get("status") or {}), "containerStatuses": statuses}


def unschedulable_status(pod: Document, now: str) -> Document:
    """The status of a pod that no node takes."""
    status = clone(pod.get("status") or {})
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    old = next((c for c in status.get("conditions") or () if c["type"] == "PodScheduled"), None)
    if not old or old["status"] != "False":
        status["conditions"] = [{**condition, "message": "no node fits", "lastTransitionTime": now}]
    return dict(status)


class Kubelets:
    """All nodes' kubelets and the scheduler. `clock` in seconds, monotonic.

    A pod starts `start_delay` after it was bound and its image was pulled, and stops after its grace period
    or `grace_cap`, whichever is shorter: a process that exits soon after SIGTERM. Nothing happens on a node
    that is not Ready.
    """

    def __init__(
        self,
        cluster: Cluster,
        clock: Callable[[], float],
        images: Images,
        *,
        start_delay: float,
        grace_cap: float,
    ) -> None:
        self._cluster = cluster
        self._images = images
        self._clock = clock
        self._start_delay = start_delay
        self._grace_cap = grace_cap
        self._since: dict[tuple[str, str], float] = {}

    def reconcile(self, pod: Document) -> float | None:
        """Bring the pod one step on. Answers in how many seconds to look again, None = at its next change."""
        node = self._cluster.get("nodes", "", pod["spec"].get("nodeName") or "")
        if terminating(pod):
            return self._stop(pod, node)
        if not pod["spec"].get("nodeName"):
            self._bind(pod)
            return None
        if node and node_ready(node) and pod["status"].get("phase") == "Pending":
            return self._start(pod, node)
        return None

    def forget(self, pod: Document) -> None:
        """For a pod that is gone: its delays are counted no more."""
        for phase in ("start", "stop", "pull"):
            self._since.pop((phase, pod["metadata"]["uid"]), None)

    def _left(self, phase: str, pod: Document, delay: float) -> float:
        """Seconds until `delay` is over, counted from the first time that this was asked for the pod."""
        now = self._clock()
        return self._since.setdefault((phase, pod["metadata"]["uid"]), now) + delay - now

    def _pull(self, pod: Document, node: str) -> float:
        """Seconds until its images are there, 0 = they are; then the kubelet says how long that took."""
        takes = self._images.pulls(pod, node)
        if takes is None:
            return 0.0
        left = self._left("pull", pod, takes)
        if left <= 0 and not self._images.lacks(pod) and self._images.arrived(pod, node):
            self._cluster.create("events", pod["metadata"]["namespace"], pulled_event(pod, node, takes))
        return left

    def _stop(self, pod: Document, node: Document | None) -> float | None:
        if node is None or not node_ready(node):
            return None  # Nobody there to confirm the end: the pod hangs, as on a dead node.
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        left = self._left("stop", pod, min(grace, self._grace_cap))
        if left > 0:
            return left
        self._cluster.delete("pods", pod, grace=0)
        return None

    def _bind(self, pod: Document) -> None:
        node = choose(pod, self._cluster.all("nodes"), self._cluster.all("pods"))
        if node:
            self._cluster.set_spec("pods", pod, nodeName=node)
        else:
            self._cluster.set_status("pods", pod, unschedulable_status(pod, self._cluster.stamp()))

    def _start(self, pod: Document, node: Document) -> float | None:
        if (left := self._pull(pod, name_of(node))) > 0:
            return left
        if lacked := self._images.lacks(pod):
            self._cluster.set_status("pods", pod, unpulled_status(pod, lacked))
            return None
        left = self._left("start", pod, self._start_delay)
        if left > 0:
            return left
        neighbours = [p for p in self._cluster.all("pods") if p["spec"].get("nodeName") == name_of(node)]
        status = running_status(pod, node, addresses(node, neighbours), self._cluster.stamp())
        self._cluster.set_status("pods", pod, status)
        return None
