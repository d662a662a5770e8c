"""Good input of every parser, from which the broken one is made."""

from __future__ import annotations

import base64
import dataclasses
import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bgpctl.core.cilium import nodeconfig
from bgpctl.core.state import LocalAddresses
from bgpctl.core.state_document import to_document
from bgpctl.exabgp import inventory, wire
from bgpctl.exabgp.record import Record
from bgpctl.lab.stacks.calico import documents as calico
from bgpctl.lab.stacks.frr_k8s import documents as metallb
from bgpctl.runbooks import journal
from tests.support import doctor_objects, node_states, objects, snapshots
from tests.unit import test_cilium_states as cilium
from tests.unit import test_frr_k8s_core as frr

NOW = 1_800_000_000.0
DATA = Path(__file__).parents[1] / "unit" / "data" / "witness"
PREFIX = ip_network("10.9.1.0/24")


def answers(kind: str, *names: str) -> list[Any]:
    """What a real router said."""
    return [json.loads((DATA / kind / name).read_text()) for name in names]


def states() -> list[Any]:
    full = node_states.withdrawn("n1", NOW)

    managed = {"managedFields": [{"subresource": "status", "time": "2026-01-01T00:00:00Z"}]}
    told = (LocalAddresses("192.0.2.1", 179, ("10.0.0.8", "10.0.0.1")),)
    rich = to_document(
        dataclasses.replace(full, soak=5.0, soak_until=NOW, problems=("a",), absent={"x": 1}, locals=told)
    )
    rich["metadata"] |= managed
    return [node_states.established("n1", NOW), rich]


def cilium_nodes() -> list[Any]:
    return [cilium.document(cilium.said(3)), cilium.out(cilium.said(1), before=3)]


def calico_peers() -> list[Any]:
    rack = "rack == 'r1' && !has(spare)"
    reflectors = {"peerSelector": "has(rr)", "nodeSelector": rack, "reversePeering": "Manual"}
    timers = {"maxRestartTime": "2m", "keepaliveTime": "20s", "localASNumber": "1.10"}
    return [
        calico.peer("tor", "192.0.2.1:1790", node="n1", filters=["bgpctl-withdrawn", "own"], **timers),
        calico.made("BGPPeer", "rr", **reflectors),
    ]


def calico_status() -> Any:
    asked = calico.made("CalicoNodeStatus", "s", node="n1", classes=["BGP"], updatePeriodSeconds=10)
    peer = {"peerIP": "192.0.2.1", "type": "NodePeer", "state": "Established", "since": "09:31:02"}
    return {**asked, "status": {"lastUpdated": "2026-09-01T00:00:00Z", "bgp": {"peersV4": [peer]}}}


FRR_NEIGHBOR = frr.neighbor("127.7.0.1")
FRR_RUNNING = frr.RUNNING
FRR_TOLD = {
    "metadata": {"name": "n1"},
    "status": {
        **{"node": "n1", "peer": "2001-0db8-0-0-0-0-0-1", "vrf": "red", "bgpStatus": "Established"},
        **{"runningConfig": frr.RUNNING, "lastConversionResult": "failed: x", "lastReloadResult": "success"},
    },
}


def frr_answer() -> Any:
    views = json.loads((frr.DATA / "neighbors.json").read_text())
    return {"default": {"vrfId": 0, "vrfName": "default", **views}}


def frr_configuration() -> Any:
    more = {"holdTime": "9s", "keepaliveTime": "3s", "sourceaddress": "10.0.0.1", "port": 1790}
    both = {"dualStackAddressFamily": True, "enableGracefulRestart": True, "addressFamilies": ["unicast"]}
    peers = [
        metallb.neighbor("192.0.2.1", 65000, ["203.0.113.7/32"], **more),
        metallb.neighbor("2001:db8::1", 65000, ["2001:db8:f::/64"], **both),
    ]
    asked = {"asn": 65001, "vrf": "red", "prefixes": ["203.0.113.7/32"], "neighbors": peers}
    return metallb.configuration("c", "n1", asked, raw=frr.RUNNING)


def metallb_peer() -> Any:
    chosen = [{"matchLabels": {"rack": "1"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}]
    about = {"sourceAddress": "10.0.0.1", "holdTime": "9s", "enableGracefulRestart": True}
    return metallb.peer("tor", "192.0.2.1", 65000, 65001, nodeSelectors=chosen, **about)


def kube_router() -> Any:
    words = ["--peer-router-ips=192.0.2.1", "--peer-router-asns", "65000", "--bgp-graceful-restart"]
    container = {"name": "kube-router", "image": "x/kube-router:v2", "command": ["x"], "args": words}
    pod = {"hostNetwork": True, "containers": [container], "nodeSelector": {"bgp": "yes"}}
    return {"metadata": {"name": "kube-router"}, "spec": {"template": {"spec": pod}}}


KUBE_ROUTER_PEERS = b"- remoteip: 192.0.2.1\n  remoteasn: 65000\n  port: 1790\n"
CALICO_SELECTOR = b"rack == 'r1' && !has(spare) || (role in {'a', 'b'} && zone starts with 'z')"


def cilium_kept() -> Any:
    return nodeconfig.read(cilium.document(cilium.said(3))).keep("uid", 7.0).document()


def journals() -> list[Any]:
    confirmed = {"proof": "confirmed", "by": "bird 192.0.2.1", "routes": 2, "secondsAfterRelabel": 0.5}
    estimated = {"proof": "estimated", "why": "hold timer", "worstSeconds": 9.0, "routes": 2}
    estimated |= {"missing": ["no router was asked"], "assumed": "a clock"}
    done = snapshots.journal(steps={"Checked": 1.0}, marks={"Relabelled": 2.0})
    journals = [done, *(dataclasses.replace(done, evidence=e) for e in (confirmed, estimated))]
    told = {
        "witnesses": {snapshots.ROUTER: ("frr=/run/frr",)},
        "locals": {snapshots.ROUTER: ("fe80::1%eth0",)},
    }
    journals.append(dataclasses.replace(done, baselines={snapshots.ROUTER: 2}, **told))
    return [json.loads(journal.dump(one)) for one in journals]


POD = {
    "metadata": {
        "name": "web-1",
        "namespace": "default",
        "uid": "u1",
        "labels": {"app": "web"},
        "annotations": {"a": "b"},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "controller": True}],
    },
    "spec": {"nodeName": "n1", "volumes": [{"name": "v", "emptyDir": {}}]},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
NODE_OBJECT = {
    "metadata": {
        "name": "n1",
        "uid": "u",
        "resourceVersion": "1",
        "labels": {"a": "b"},
        "annotations": {"a": "b"},
    },
    "spec": {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/x", "effect": "NoSchedule"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
LEASE = {
    "metadata": {"name": "l", "resourceVersion": "7"},
    "spec": {
        "holderIdentity": "eve@host:1/run-a",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "acquireTime": "2026-01-01T00:00:00.000000Z",
    },
}
BUDGET = {
    "metadata": {"name": "b", "namespace": "default", "generation": 1},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    "status": {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "observedGeneration": 1},
}
CAUSE = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2"}
REFUSAL = {
    "message": "Cannot evict pod: The disruption budget web needs 2",
    "reason": "TooManyRequests",
    "details": {
        "name": "web-1",
        "kind": "pods",
        "retryAfterSeconds": 10,
        "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2"}],
    },
    "code": 429,
}
KURED = {"nodeID": "n1", "created": "2026-01-01T00:00:00Z", "TTL": 0, "locks": [{"nodeID": "n2", "TTL": 1}]}
MANAGED = [
    {"manager": "cilium", "fieldsV1": {"f:status": {"f:conditions": {'k:{"type":"x"}': {"f:status": {}}}}}},
    {"manager": "bgpctl", "fieldsV1": {}},
]


def session() -> Any:
    record = Record("65001/10.0.0.1")
    record.enter("open_confirm")
    record.enter("established")
    record.local_address, record.hold_time, record.keepalive_time = "10.0.0.11", 9, 3
    record.families = ("ipv4/unicast", "ipv6/unicast")
    record.peer_gr = {"time": 120, "flags": 0xC, "families": {"ipv4/unicast": 0x80}}
    record.local_gr = {"time": 30, "flags": 0x8, "families": {}}
    record.llgr = "0001010000000a"
    record.note_notification("received", 6, 9, bytes((6, 2, 5)) + b"hello")
    return json.loads(json.dumps(record.tell({"ipv4/unicast": 2}, 0)))


def stock() -> Any:
    from tests.unit.test_exabgp_inventory import FULL, PLAIN

    groups = [
        {
            "peer": FULL.name,
            "attributes": {
                "next_hop": "10.0.0.9",
                "communities": ["1:2"],
                "large_communities": [],
                "local_preference": 1,
            },
            "prefixes": wire.pack_prefixes([PREFIX]),
        }
    ]
    stock = {"peers": {p.name: inventory.definition(p) for p in (FULL, PLAIN)}, "synced": [FULL.name]}
    return json.loads(json.dumps({"stock": stock, "groups": groups, "generation": 1}))


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [
        {
            "name": "c",
            "context": {
                "cluster": "k",
                "user": "u",
                "extensions": [{"name": "bgpctl.io/router-probes", "extension": ["bird=/run/bird.ctl"]}],
            },
        }
    ],
    "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def cluster_objects() -> Any:
    return {
        "node": objects.node(labels={"rack": "rack0"}),
        "policies": [objects.policy(objects.router(objects.neighbor()))],
        "services": [objects.service("web")],
        "endpoint_slices": [objects.endpoint_slice("web", objects.endpoint())],
        "cilium_node": objects.cilium_node(),
    }


LOG = b'time="2026-01-01T00:00:00Z" level=info msg="speaker.started" subsys=bgp-control-plane peer=10.0.0.1\n'
JSON_LOG = {
    "time": "2026-01-01T00:00:00Z",
    "level": "info",
    "msg": "x",
    "subsys": "bgp-control-plane",
    "n": 1,
}


def node_routes() -> Any:
    row = {
        "prefix": "10.0.0.0/24",
        "standing": "changing",
        "attributes": {"nextHop": "10.0.0.9", "communities": ["1:2"]},
        "announcedAttributes": {"localPreference": 100},
        "origin": "o",
        "why": "w",
    }
    peer = {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "state": "established",
        "families": [],
        "pending": 0,
        "routes": [row],
    }
    absent = {"origin": "o", "prefix": "10.0.0.0/24", "reason": "r", "detail": "d", "peer": "p"}
    return {"node": "n", "at": NOW, "peers": [peer], "absent": [absent], "problems": ["x"]}


CERTIFICATE = (DATA.parent / "certificate.pem").read_bytes()


def der() -> bytes:
    """The same without its armour."""
    return base64.b64decode(b"".join(CERTIFICATE.split(b"-----")[2].split()))


def doctored() -> list[Any]:
    """A DaemonSet, a pod that was restarted, an event about its image, a pool, a CRD."""
    return [*doctor_objects.ALL]


def pulling() -> Any:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    took = 'Successfully pulled image "x:1" in 3.2s (1m2.5s including waiting). Image size: 3 bytes.'
    return {
        "pod": {
            "metadata": {"name": "p", "uid": "u", "labels": {"bgpctl.io/run": "r"}},
            "spec": {"nodeName": "n"},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "pull", "state": waiting}]},
        },
        "event": {"involvedObject": {"name": "p", "uid": "u"}, "message": took},
    }


def bird_seeds() -> list[bytes]:
    return [file.read_bytes() for file in sorted((DATA / "bird").glob("*o*.*"))]


UPDATE = bytes.fromhex("0000 0000 080a")
MP_UPDATE = bytes.fromhex("0000 0010 900e000c 0002 01 04 00000000 00 10fd00")


def yaml_seeds() -> list[bytes]:
    import yaml

    documents = [objects.node(), objects.policy(objects.router(objects.neighbor())), objects.service("web")]
    anchors = b"a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}}\ne: |\n  text\n? f\n: g\n"
    return [yaml.safe_dump_all(documents).encode(), anchors]
