"""A cluster with thousands of Services, one speaker and one BIRD: what the manager's benchmarks run against.

Half of the Services have externalTrafficPolicy Local and an endpoint on the speaker's node, so that all of
them are announced. Changes go straight into the embedded API, in this process; the speaker is a process of
its own, as always.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bgpctl.lab.api import ApiServer
from bgpctl.lab.seed import crds
from tests.support import apiserver, objects
from tests.support.birdctl import Bird
from tests.support.routers import Lab, Workshop
from tests.support.speakers import SpeakerProcess

Document = dict[str, Any]

NAME = "worker-1"
FIRST = int(IPv4Address("20.0.0.0"))
POLL_SECONDS = 0.001


def address(number: int) -> str:
    return str(IPv4Address(FIRST + number))


def name(number: int) -> str:
    return f"svc-{number}"


def service(number: int) -> Document:
    """As `kubectl apply` leaves one, with what the API server adds for itself."""
    made = objects.service(
        name(number),
        address(number),
        local=number % 2 == 1,
        ports=[{"name": "http", "port": 80, "targetPort": 8080}],
        selector={"app": name(number), "tier": "front"},
        labels={"app": name(number), "tier": "front", "team": f"team-{number % 20}"},
    )
    fields = {"f:spec": {"f:ports": {}, "f:selector": {}, "f:type": {}, "f:externalTrafficPolicy": {}}}
    made["metadata"]["managedFields"] = [
        {"manager": who, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}
        for who in ("kubectl", "lb-ipam")
    ]
    return made


def endpoint_slice(number: int, endpoints: int = 2) -> Document:
    """One endpoint on the speaker's node, the others elsewhere."""
    made = [
        {
            **objects.endpoint(NAME if each == 0 else f"worker-{2 + each}", ready=True, serving=True),
            "addresses": [str(IPv4Address("10.244.0.0") + number * 8 + each)],
            "targetRef": {"kind": "Pod", "namespace": "default", "name": f"{name(number)}-{each}"},
        }
        for each in range(endpoints)
    ]
    return objects.endpoint_slice(name(number), *made)


@dataclass
class Crowd:
    """A running one."""

    api: ApiServer
    lab: Lab
    bird: Bird
    speaker: SpeakerProcess

    def give(self, number: int) -> None:
        """The load balancer gives the Service its address: a write of its status."""
        self._status({"ingress": [{"ip": address(number)}]}, number)

    def take(self, number: int) -> None:
        """And takes it away."""
        self._status({}, number)

    def home(self, number: int, local: bool) -> None:
        """The Service's first endpoint runs on the speaker's node, or moves to another one."""

        def change(old: Document) -> Document:
            first, *others = old["endpoints"]
            where = NAME if local else "worker-2"
            return {**old, "endpoints": [{**first, "nodeName": where}, *others]}

        slices = self.api.registry.by_plural("endpointslices")
        found = endpoint_slice(number)["metadata"]["name"]
        self.api.operations.modify(slices, "default", found, change)

    def expected(self) -> set[str]:
        """What BIRD should have, by the objects that the API has now, and by rules written once more."""
        local = {
            each["metadata"]["labels"]["kubernetes.io/service-name"]
            for each in self._all("endpointslices")
            if any(endpoint["nodeName"] == NAME for endpoint in each["endpoints"])
        }
        found = set()
        for each in self._all("services"):
            if each["spec"]["externalTrafficPolicy"] == "Cluster" or each["metadata"]["name"] in local:
                ingress = each.get("status", {}).get("loadBalancer", {}).get("ingress", ())
                found.update(f"{entry['ip']}/32" for entry in ingress)
        return found

    def _all(self, plural: str) -> list[Document]:
        """Not copied, as `ApiServer.objects` would: that takes longer than what is measured."""
        return [stored.document for stored in self.api.store.all(self.api.registry.by_plural(plural).key)[0]]

    def churn(self, numbers: range, seconds: float, per_second: int, seed: int = 1) -> float:
        """Changes at random of these Services: given, taken, moved. The monotonic time of the last one."""
        chance = random.Random(seed)
        began = time.monotonic()
        for done in range(round(seconds * per_second)):
            time.sleep(max(0.0, began + done / per_second - time.monotonic()))
            number = chance.choice(numbers)
            act = chance.choice(
                [self.give, self.take, partial(self.home, local=True), partial(self.home, local=False)]
            )
            act(number)
        return time.monotonic()

    def _status(self, balancer: Document, number: int) -> None:
        def change(old: Document) -> Document:
            return {**old, "status": {"loadBalancer": balancer}}

        services = self.api.registry.by_plural("services")
        self.api.operations.modify(services, "default", name(number), change, "status")

    def processes(self) -> dict[str, int]:
        """The process ids of manager, exabgp and relay."""
        found = {}
        for pid, command in self.speaker.processes().items():
            parts = {"speaker run": "manager", "exabgp.child": "exabgp", "relay": "relay"}
            found[next((p for text, p in parts.items() if text in command), command)] = pid
        return found

    def memory(self) -> dict[str, float]:
        """PSS in MB by process."""
        return {name: pss(pid) for name, pid in self.processes().items()}

    def has(self, number: int) -> bool:
        return self.bird.has(f"{address(number)}/32")


def cpu_seconds(pid: int) -> float:
    """Of a process, all its threads, until now (proc(5): utime and stime, in clock ticks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> float:
    """The proportional set size of a process in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024  # type: ignore[index]


def waited(condition: Callable[[], bool], deadline: float = 60.0) -> float:
    """The monotonic time at which it was true."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the router never got there")
        time.sleep(POLL_SECONDS)
    return time.monotonic()


@contextmanager
def crowd(services: int, *flags: str, announced: int | None = None, endpoints: int = 2) -> Iterator[Crowd]:
    """Started with these flags of `speaker run`, and BIRD has every route. Of the Services, only the first
    `announced` have an address. The second node of the lab is free."""
    wanted = services if announced is None else announced
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        lab = Workshop(stack, directory).router("bird", nodes=2)
        bird = Bird(directory / "bird101" / "bird.ctl")
        api = stack.enter_context(apiserver.running(controllers=False))
        _seed(api, lab, services, wanted, endpoints)
        kubeconfig = directory / "kubeconfig"
        api.write_kubeconfig(kubeconfig)
        given = ("--node-name", NAME, "--source-address", lab.nodes[0].address, "--kubeconfig", kubeconfig)
        speaker = SpeakerProcess(directory / "s", *given, *flags).start()
        stack.callback(speaker.end)
        try:
            waited(lambda: bird.routes() == wanted)
        except TimeoutError:
            raise TimeoutError(f"{bird.routes()} of {wanted} routes; {speaker.log[-2000:]}") from None
        yield Crowd(api, lab, bird, speaker)


def _seed(api: ApiServer, lab: Lab, services: int, announced: int, endpoints: int) -> None:
    spec, node = lab.router.spec, lab.nodes[0]
    neighbor = objects.neighbor(f"{spec.address}/32", spec.asn, peerPort=spec.port, connectRetryTimeSeconds=1)
    api.apply(*crds())
    api.apply(objects.node(NAME, spec={}), objects.policy(objects.router(neighbor, asn=node.asn)))
    for number in range(services):
        made = service(number)
        if number >= announced:
            made["status"] = {}
        api.apply(made, endpoint_slice(number, endpoints))
