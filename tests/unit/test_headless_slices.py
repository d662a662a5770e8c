"""EndpointSlices of headless Services are not asked for: nothing that a node does is decided by them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.kube import paths
from bgpctl.lab.api.selectors import parse_labels
from bgpctl.lab.seed import crds
from bgpctl.providers.policies import read_fleet
from bgpctl.speaker.sources import KubeSource
from tests.support import apiserver, clients
from tests.support.intents import world
from tests.support.objects import endpoint, endpoint_slice, node, policy, router, service
from tests.support.wait import eventually

HEADLESS = {"service.kubernetes.io/headless": ""}
EVERY_KIND = [policy(router(serviceAdvertisements=["LoadBalancerIP", "ExternalIP", "ClusterIP"]))]


def labelled(slice_: Any) -> Any:
    """As the EndpointSlice controller labels those of a headless Service."""
    slice_["metadata"]["labels"].update(HEADLESS)
    return slice_


@pytest.mark.parametrize(("local", "demanding", "ready"), list(product((False, True), repeat=3)))
def test_the_intent_is_the_same_without_them(local: bool, demanding: bool, ready: bool) -> None:
    quiet = service("quiet", "203.0.113.1", local=local, clusterIP="None", externalIPs=["198.51.100.1"])
    web = service("web", "203.0.113.2", local=True, clusterIP="10.96.0.2")
    slices = [
        labelled(endpoint_slice("quiet", endpoint("worker-1", ready=ready))),
        endpoint_slice("web", endpoint("worker-1", ready=ready)),
    ]
    asked = parse_labels(paths.BALANCED_SLICES["labelSelector"])
    few = [each for each in slices if asked.matches(each)]
    assert len(few) == 1
    context = Context(withdraw_without_endpoints=demanding)
    all_of_them, those = (
        compile_intent(world(quiet, web, slices=given, policies=EVERY_KIND), "worker-1", context)
        for given in (slices, few)
    )
    assert all_of_them == those and any(those.routes.values())


@pytest.mark.integration
def test_neither_the_list_nor_the_watch_has_them() -> None:
    with apiserver.running(controllers=False) as server:
        server.apply(*crds(), node("worker-1"))
        server.apply(labelled(endpoint_slice("quiet", endpoint("worker-1"))))
        server.apply(endpoint_slice("web", endpoint("worker-1")))
        api = clients.counting(server)
        source = KubeSource(api, "worker-1", "kube-system", lambda: None)
        source.start()
        try:
            eventually(source.ready)
            assert [each.service for each in source._slices.items()] == [("default", "web")]
            server.apply(labelled(endpoint_slice("silent", endpoint("worker-1"))))
            server.apply(endpoint_slice("app", endpoint("worker-1")))
            eventually(lambda: len(source.observe().endpoint_slices) == 2)
            assert {each.service[1] for each in source._slices.items() if each.service} == {"web", "app"}
        finally:
            source.stop()
        asked = [query for _, path, query in api.sent if path == paths.ENDPOINT_SLICES]
        assert len(asked) >= 2
        assert all(query["labelSelector"] == "!service.kubernetes.io/headless" for query in asked)
        fleet, _ = read_fleet(clients.client(server))
        assert len(fleet.slices) == 2, "who asks from outside sees what the speakers see"
