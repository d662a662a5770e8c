"""Two or three lines for each command that one may paste into the lab (`bgpctl lab up`), and what they do.

Shown at the end of `--help` and in the manual pages. tests/integration/test_examples.py runs them, in this
order, in one lab; those that need more than it has are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

WIDTH = 68


@dataclass(frozen=True, slots=True)
class Example:
    """`words` behind the program's name. `code`: how it ends in a lab; None = a lab has not what it needs."""

    why: str
    words: str
    code: int | None = 0


def _one(why: str, words: str, code: int | None = 0) -> Example:
    return Example(why, words, code)


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "peers status": (
        _one("every session of every node; exit 0 only when all are established", "peers status"),
        _one(
            "one node, with timers, capabilities and what each session waits for",
            "peers status worker-1 -o wide",
        ),
        _one("again whenever something changes", "peers status --watch", None),
        _one(
            "the addresses of the peers that are not up, for a script",
            "peers status -o jsonpath='{.nodes[*].peers[?(@.state!=\"established\")].peerAddress}'",
        ),
    ),
    "routes": (
        _one("what each node announces, and what it means to", "routes"),
        _one("what is not announced, and why not", "routes worker-1 --absent"),
    ),
    "top": (
        _one("the whole fleet on one screen, live", "top", None),
        _one("of the nodes that MetalLB's FRR serves", "top --provider frr-k8s", None),
    ),
    "explain": (
        _one(
            "is this Service announced, from where, and what is missing where it is not",
            "explain svc/default/web",
        ),
        _one("which objects are behind a prefix", "explain 203.0.113.10/32"),
        _one("everything of one node", "explain node/worker-1"),
    ),
    "logs": (
        _one("the BGP lines of all nodes, as they come", "logs -f", None),
        _one(
            "of one node, about one peer, of the last hour", "logs worker-1 --peer 192.0.2.1 --since 1h", None
        ),
    ),
    "metrics": (
        _one("the documented BGP metrics of every speaker", "metrics", None),
        _one("of one node, for a program", "metrics worker-1 -o json", None),
    ),
    "forecast": (
        _one("what each failure of the guide would cost this node", "forecast worker-1"),
        _one(
            "one of them, where the routers hash as Linux does",
            "forecast worker-1 --event power-off --scheme hash-threshold",
        ),
        _one(
            "beside today: with other timers",
            "forecast worker-1 --set holdTimeSeconds=9 --set keepAliveTimeSeconds=3",
        ),
    ),
    "doctor": (
        _one("everything that is wrong, with the command that mends it", "doctor"),
        _one("what is about one node", "doctor --node worker-1"),
    ),
    "node estimate": (
        _one("how long routers may go on sending, by peer and event", "node estimate worker-1"),
        _one(
            "the same when this peer is known to keep stale routes for 300 s",
            "node estimate worker-1 --peer-profile 192.0.2.1=stale:300",
            None,
        ),
    ),
    "node status": (
        _one("which nodes serve, and which runs are on or were left", "node status"),
        _one("one node, for a script: safeToPowerOff is true or not", "node status worker-1 -o json"),
    ),
    "node drain": (
        _one("every step and every refusal, nothing done", "node drain worker-1 --dry-run"),
        _one("and what the API server says to each write", "node drain worker-1 --dry-run=server"),
        _one("take the node out: the last line says whether it may be powered off", "node drain worker-1"),
        _one(
            "two nodes, one after the other, where the third can carry all of it",
            "node drain worker-1 worker-2 --max-unavailable 2",
        ),
        _one(
            "withdraw first, take only the routers' word, and power off over ssh",
            "node drain worker-1 --order withdraw-first --require-confirmed "
            "--shutdown-command 'ssh {node} sudo poweroff'",
            None,
        ),
    ),
    "node restore": (
        _one("what it would do", "node restore worker-1 --dry-run"),
        _one("bring it back: label, sessions, routes, and only then pods", "node restore worker-1"),
        _one("all nodes with a label", "node restore --selector kubernetes.io/hostname=worker-2"),
    ),
    "preflight upgrade": (
        _one(
            "is the image pulled everywhere within what routers grant a restart?",
            "preflight upgrade --image quay.io/cilium/cilium:v1.18.1 --provider cilium",
            None,
        ),
        _one(
            "also restart one node's speaker and measure it",
            "preflight upgrade --image example.com/bgpctl:1.0 --canary worker-1",
            None,
        ),
    ),
    "speaker run": (
        _one(
            "in a pod: the policies of the cluster, for this node",
            "speaker run --node-name worker-1 --in-cluster --listen :9180",
            None,
        ),
        _one(
            "without Kubernetes: from a file, read again on change",
            "speaker run --node-name worker-1 --file state.yaml",
            None,
        ),
    ),
    "speaker status": (
        _one("what the speaker on this machine says, without Kubernetes", "speaker status", None),
        _one(
            "of one with a directory of its own, for a program",
            "speaker status --directory /run/bgpctl/worker-1 -o json",
            None,
        ),
    ),
    "speaker restart": (
        _one(
            "what would be done, and what the routers would keep",
            "speaker restart worker-2 --dry-run --restart-command true",
        ),
        _one(
            "a systemd unit, over ssh",
            "speaker restart worker-1 --restart-command 'ssh {node} systemctl restart bgpctl-speaker'",
            None,
        ),
    ),
    "speaker upgrade": (
        _one(
            "the plan: which nodes, in which order, and what would stop it",
            "speaker upgrade --image example.com/bgpctl:1.0 --dry-run",
            None,
        ),
        _one(
            "two nodes first",
            "speaker upgrade --image example.com/bgpctl:1.0 --nodes worker-1,worker-2",
            None,
        ),
    ),
    "speaker engine prepare": (
        _one(
            "in an init container: make the directory, and give it to who runs the engine",
            "speaker engine prepare --directory /run/bgpctl/worker-1 --user 65532",
            None,
        ),
    ),
    "speaker engine run": (
        _one(
            "the engine's container beside the speaker's",
            "speaker engine run --directory /run/bgpctl/worker-1",
            None,
        ),
    ),
    "speaker engine stop": (
        _one(
            "end the engine that outlived its speaker; routers keep the routes for the restart time",
            "speaker engine stop --node-name worker-1",
            None,
        ),
        _one("withdraw everything first", "speaker engine stop --node-name worker-1 --leave", None),
    ),
    "policy check": (
        _one("every fault of these files, with its place", "policy check state.yaml", None),
        _one(
            "before it is applied, for a program",
            "policy check policies.yaml advertisements.yaml -o json",
            None,
        ),
    ),
    "providers": (
        _one("who speaks BGP here, what a drain's lever does there, which rights are missing", "providers"),
        _one("for a program", "providers -o json"),
    ),
    "cilium prepare": (
        _one(
            "what would be created, so that a drain can withdraw with the sessions up",
            "cilium prepare --dry-run",
            None,
        ),
        _one("with GRACEFUL_SHUTDOWN copies too, for --soak", "cilium prepare --soak", None),
        _one("take them away again", "cilium prepare --undo", None),
    ),
    "calico prepare": (
        _one(
            "what would be created, so that a drain can withdraw with the sessions up",
            "calico prepare --dry-run",
            None,
        ),
        _one("take it away again", "calico prepare --undo", None),
    ),
    "install": (
        _one("what would stand in the cluster, as YAML to read or to keep", "install"),
        _one(
            "put it there, and wait until every node has its speaker",
            "install --set image=registry.example/bgpctl:0.1 --apply --wait",
            None,
        ),
        _one("what would change, by the API server's own word", "install --apply --dry-run"),
    ),
    "uninstall": (
        _one("what would go and what would stay", "uninstall --withdraw-routes"),
        _one("take it away", "uninstall --yes", None),
    ),
    "auth check": (
        _one("may I drain nodes? what is missing, and the Role that grants it", "auth check"),
        _one("may I install?", "auth check --for install"),
    ),
    "version": (
        _one("of client, speakers, engines and CRD, and whether they go together", "version"),
        _one("only what is installed here", "version --client -o json"),
    ),
    "completion": (
        _one("for this shell, now: source <(bgpctl completion bash)", "completion bash"),
        _one("for every zsh to come", 'completion zsh > "${fpath[1]}/_bgpctl"', None),
    ),
    "config view": (
        _one("what holds for this context, and from which line", "config view"),
        _one("for another one", "config view --context rack-7"),
    ),
    "config set": (
        _one("for every cluster", "config set order withdraw-first"),
        _one(
            "for one: two routers that can be asked",
            "config set router-probe frr bird@192.0.2.2 --context rack-7",
        ),
    ),
    "config unset": (_one("its flag has its own default again", "config unset order"),),
    "config check": (_one("every fault of the file, with its line", "config check"),),
    "lab demo": (
        _one("a node leaves and comes back, on real BGP sessions", "lab demo", None),
        _one(
            "the same on nodes whose BGP Cilium runs (emulated, on a real GoBGP)",
            "lab demo --stack cilium",
            None,
        ),
    ),
    "lab up": (
        _one("a cluster to play with; ^C ends it", "lab up --kubeconfig /tmp/lab.kubeconfig", None),
        _one("with a real FRR as its router", "lab up --router frr --nodes 5", None),
    ),
    "lab drill": (
        _one(
            "a node loses power at a real FRR, under traffic, held against its forecast",
            "lab drill power-off --router frr",
            None,
        ),
        _one("all of the guide's failures, as a page", "lab drill all --html drills.html", None),
        _one("the same where Cilium speaks BGP", "lab drill all --stack cilium", None),
    ),
}


def of(path: str, program: str) -> str:
    """The examples of one command as `--help` shows them; "" = it has none."""
    found = EXAMPLES.get(path, ())
    rows = [f"  # {one.why}\n  $ {folded(f'{program} {one.words}')}" for one in found]
    return "\n\n".join(["Examples:", *rows]) if rows else ""


def folded(command: str) -> str:
    """A command in lines of at most WIDTH, as a shell reads it."""
    lines = [""]
    for word in re.findall(r"(?:'[^']*'|[^\s'])+", command):
        if lines[-1] and len(lines[-1]) + len(word) > WIDTH:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return " \\\n      ".join(lines)
