"""Files: YAML as kubectl reads it, every fault with its place, and the world a state file describes."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent import compile_intent
from bgpctl.core.model import Secret
from bgpctl.errors import Exit, InvalidDocuments, UsageError
from bgpctl.speaker import files
from bgpctl.speaker.check import Verdict, check_files
from bgpctl.speaker.files import MAX_PROBLEMS, load_documents, objects_from_documents, read_documents
from bgpctl.speaker.yamlstream import Lines, RawDocument, read_stream
from tests.kit.objects import endpoint, endpoint_slice, neighbor, node, policy, router, service

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes documents (or text, or bytes) to a file and gives its path."""

    def to_file(*documents: Any, name: str = "state.yaml") -> str:
        path = tmp_path / name
        if len(documents) == 1 and isinstance(documents[0], bytes):
            path.write_bytes(documents[0])
        else:
            texts = [d if isinstance(d, str) else yaml.safe_dump(d, sort_keys=False) for d in documents]
            path.write_text("---\n".join(texts))
        return str(path)

    return to_file


def one(text: str) -> RawDocument:
    (document,) = read_stream(text.encode())
    return document


# --- YAML as kubectl reads it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65000:10", "65000:10"),  # PyYAML's loaders say 3900010
        ("65000:1:2", "65000:1:2"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),  # … and a datetime
        ("179", 179),
        ("-1", -1),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b11", 3),
        ("010", 8),
        ("0o10", 8),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1/32"),
        ("'179'", "179"),
        ('"true"', "true"),
        ("true", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
        ("1" * 100, "1" * 100),
        ("0b_", "0b_"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    document = one(f"key: {text}\n")
    assert document.faults == []
    assert document.value == {"key": value} and type(document.value["key"]) is type(value)


def test_keys_are_strings() -> None:
    assert one("1: a\ntrue: b\n'x': c\n").value == {"1": "a", "true": "b", "x": "c"}


def test_anchors_and_merge_keys() -> None:
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: [*x, *x]\nd: {<<: [*x, {r: 4}]}\n"
    value = one(text).value
    assert value["b"] == {"p": 1, "q": 3} and value["c"] == [value["a"]] * 2
    assert value["d"] == {"p": 1, "q": 2, "r": 4}


def test_documents_are_counted_and_placed() -> None:
    documents = list(read_stream(b"# comment\na: 1\n---\n---\n\nb: 2\n...\n"))
    assert [(d.index, d.line, d.value) for d in documents] == [
        (1, 2, {"a": 1}),
        (2, 4, None),
        (3, 6, {"b": 2}),
    ]


def laughs() -> str:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(levels)


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        ("a: 1\nb: [\n", "not YAML", 3, 1),
        ("a: 1\n b: 2\n", "not YAML", 2, 3),
        ("a: b: c\n", "not YAML", 1, 5),
        ("\tkind: x\n", "not YAML", 1, 1),
        ("a: 1\nb: x\x01y\n", "control characters are not allowed", 2, 5),
        ("a: 1\nb: 1\na: 2\n", 'duplicate key "a"', 3, 1),
        ("a: *b\n", "the alias *b has no anchor", 1, 4),
        ("a: &a\n  b: *a\n", "the alias *a contains itself", 2, 6),
        ("a: !!python/object/apply:os.system [id]\n", "is not allowed", 1, 4),
        ("a: !custom x\n", "the tag !custom is not allowed", 1, 4),
        ("? [1]\n: 2\n", "a key must be a string", 1, 3),
        ("a: {<<: 5}\n", "merge key", 1, 10),
        ("[" * 5000, "nested deeper than 64 levels", 1, 66),
        (laughs(), "aliases add more than 100000 values", None, None),
    ],
)
def test_yaml_faults(text: str, words: str, line: int | None, column: int | None) -> None:
    start = time.process_time()
    (fault,) = one(text).faults
    assert words in str(fault)
    assert line is None or (fault.line, fault.column) == (line, column)
    assert time.process_time() - start < 1


def test_documents_before_a_fault_stand() -> None:
    first, empty, broken = read_stream(b"a: 1\n---\n---\nb: [\n")
    assert first.value == {"a": 1} and first.faults == [] and empty.faults == []
    assert broken.index == 3 and broken.value is None and broken.faults
    empty, broken = read_stream(b"---\n...\n@\n")
    assert empty.faults == [] and broken.index == 2 and broken.faults


def test_a_document_with_a_duplicate_key_is_not_used(write: Write) -> None:
    loaded = read_documents([write("kind: Node\nkind: Service\n---\nkind: Secret\n")])
    assert [document.kind for document in loaded.documents] == ["Secret"]
    assert [problem.document for problem in loaded.problems] == [1]


words = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=40)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, plain, min_size=1, max_size=4))
def test_json_is_read_as_json(document: dict[str, Any]) -> None:
    # Outside of YAML's subset of JSON: surrogate pairs, and keys longer than 1024 characters.
    text = json.dumps(document)
    assert one(text).value == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_give_documents_or_faults_never_an_exception(data: bytes) -> None:
    for document in read_stream(data.decode("utf-8", "replace").encode()):
        assert document.value is None or document.index > 0


def test_lines_of_paths() -> None:
    lines = Lines(b"# c\nspec:\n  routers:\n  - a: 1\n    b:\n      x.y/z: 2\n---\nother: 1\n")
    assert lines.of(1, "spec.routers[0].b[x.y/z]") == 6
    assert lines.of(1, "spec.routers[0]") == 4
    assert lines.of(1, "spec.routers[0].missing") == 4
    assert lines.of(1, "") == 2 and lines.of(2, "other") == 8 and lines.of(3, "other") is None


# --- files ------------------------------------------------------------------------------------------------


def faults(*paths: str) -> list[str]:
    with pytest.raises(InvalidDocuments) as caught:
        load_documents(paths)
    assert caught.value.exit_code is Exit.USAGE
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"# only a comment\n", "no YAML document"),
        (b"---\n", "no YAML document"),
        (b"a: 1\nb: caf\xe9\n", "not UTF-8: invalid continuation byte 0xe9 at byte 11"),
        ("a: 1\n".encode("utf-16"), "not"),
        (b"\x7fELF\x00\x00", "not a text file: byte 4 is NUL"),
        (
            b"just words\n",
            "must be a Kubernetes object (a mapping with apiVersion and kind); it is a single value",
        ),
        (b"- a\n- b\n", "it is a list"),
        (b"kind: List\nitems: [5]\n", "items[0]: must be a Kubernetes object"),
    ],
)
def test_unreadable_files(write: Write, data: bytes, words: str) -> None:
    (message,) = faults(write(data))
    assert "state.yaml" in message and words in message


def test_a_directory_a_missing_file_and_a_bad_one_are_reported_together(tmp_path: Path, write: Write) -> None:
    bad = write(b"a: [\n")
    messages = faults(str(tmp_path), str(tmp_path / "missing.yaml"), bad)
    assert len(messages) == 3
    assert "is a directory" in messages[0] and "No such file" in messages[1] and "not YAML" in messages[2]


def test_a_file_that_may_not_be_read_says_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(node())
    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read: Permission denied" in faults(path)[0]


def test_a_bound_on_size(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 20)
    assert "is larger than 1 MiB" in faults(write(b"a" * ((1 << 20) + 1)))[0]


def test_standard_input_and_a_byte_order_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"\xef\xbb\xbf" + yaml.safe_dump(node()).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    (document,) = load_documents(["-"])
    assert document.kind == "Node" and document.source == "-"


def test_lists_are_flattened(write: Write) -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [service("a")]}
    nodes = {"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "worker-9"}}]}
    path = write(node(), {"kind": "List", "apiVersion": "v1", "items": [policy(), inner]}, nodes)
    documents = load_documents([path])
    assert [(d.index, d.prefix, d.kind, d.name) for d in documents] == [
        (1, "", "Node", "worker-1"),
        (2, "items[0].", "CiliumBGPPeeringPolicy", "policy"),
        (2, "items[1].items[0].", "Service", "a"),
        (3, "items[0].", "Node", "worker-9"),
    ]


def test_many_faults_of_one_document_are_cut_short(write: Write) -> None:
    messages = faults(write(b"a: 1\n" * 100_000))
    assert len(messages) == MAX_PROBLEMS + 1
    assert 'duplicate key "a" (line 2, column 1)' in messages[0]
    assert f"and {99_999 - MAX_PROBLEMS} more" in messages[-1]


# --- policy check -----------------------------------------------------------------------------------------


def password(text: str) -> dict[str, Any]:
    data = {"password": base64.b64encode(text.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bgp"}, "data": data}


def test_good_files(write: Write) -> None:
    slices = endpoint_slice("web", endpoint(ready=True))
    path = write(node(), policy(router(neighbor(authSecretRef="bgp"))), service(), slices, password("x"))
    report = check_files([path])
    assert report.problems == report.warnings == () and report.exit_code is Exit.DONE
    assert [d.verdict for d in report.documents] == [Verdict.VALID] * 5
    assert [d.line for d in report.documents] == sorted({d.line for d in report.documents})


def test_every_fault_of_every_file_with_its_line(write: Write) -> None:
    one_file = write(policy(router(neighbor(peerPort=0, holdTimeSeconds=1))), name="a.yaml")
    other = write("kind: [\n", name="b.yaml")
    report = check_files([one_file, other])
    assert report.exit_code is Exit.USAGE
    with pytest.raises(InvalidDocuments):
        report.raise_for_problems()
    lines = [str(problem).removeprefix(f"{Path(one_file).parent}/") for problem in report.problems]
    assert [line.split(" must be")[0].split(" not YAML")[0] for line in lines] == [
        "a.yaml:16: document 1: spec.virtualRouters[0].neighbors[0].peerPort:",
        "a.yaml:17: document 1: spec.virtualRouters[0].neighbors[0].holdTimeSeconds:",
        "b.yaml:2: document 1: (document):",
    ]


def test_a_fault_in_a_list_item_has_its_path_and_line(write: Write) -> None:
    path = write({"apiVersion": "v1", "kind": "List", "items": [node(), policy(router(asn="x"))]})
    ((problem),) = check_files([path]).problems
    assert problem.path == "items[1].spec.virtualRouters[0].localASN"
    assert problem.line is not None
    assert "localASN: x" in Path(path).read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (node(spec={"podCIDRs": ["10.1.0.1/24"]}), "spec.podCIDRs[0]", "without host bits"),
        (node(spec={"podCIDR": 5}), "spec.podCIDR", "must be a CIDR"),
        (
            node(status={"addresses": [{"type": "InternalIP", "address": "x"}]}),
            "status.addresses[0].address",
            "must be an IP address",
        ),
        (
            node(annotations={"cilium.io/bgp-virtual-router.1": "local-port=0"}),
            "metadata.annotations",
            "local-port must be 1..65535",
        ),
        (node(labels={"a": "b c"}), "metadata.labels[a]", "a label value"),
        (service(externalTrafficPolicy="local"), "spec.externalTrafficPolicy", 'Did you mean "Local"?'),
        (service(type="Loadbalancer"), "spec.type", 'Did you mean "LoadBalancer"?'),
        (service("web", "1.2.3"), "status.loadBalancer.ingress[0].ip", "must be an IP address"),
        (service(externalIPs=["x"]), "spec.externalIPs[0]", "must be an IP address"),
        ({**service(), "spec": None}, "spec", "required"),
        ({**endpoint_slice("web"), "addressType": "ipv4"}, "addressType", 'Did you mean "IPv4"?'),
        (
            endpoint_slice("web", {"conditions": {"ready": "yes"}}),
            "endpoints[0].conditions.ready",
            "must be true or false",
        ),
        ({**node(), "apiVersion": "v2"}, "apiVersion", 'must be "v1"'),
        ({"apiVersion": "v1"}, "kind", "required; one of CiliumBGPPeeringPolicy, Node"),
        ({**policy(), "kind": "CiliumBGPPeringPolicy"}, "kind", 'Did you mean "CiliumBGPPeeringPolicy"?'),
    ],
)
def test_faults_of_the_other_kinds(write: Write, document: Any, path: str, words: str) -> None:
    report = check_files([write(document)])
    assert [(p.path, words in p.message) for p in report.problems] == [(path, True)]
    assert report.documents[0].verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "secret",
    [
        {"data": {"password": "not base64!"}},
        {"data": {"password": base64.b64encode(b"\xff\xfe").decode()}},
        {"data": "hunter2"},
        {"data": {"other": "aHVudGVyMg=="}},
        {"stringData": {"password": ""}},
        {"stringData": "hunter2"},
        {},
    ],
)
def test_bad_secrets_are_reported_without_their_content(write: Write, secret: dict[str, Any]) -> None:
    report = check_files([write({**password("x"), "data": None, **secret})])
    assert [p.path for p in report.problems] == ["data.password"]
    assert "hunter2" not in str(report) and "not base64!" not in str(report)


def test_a_password_with_a_line_break_is_a_warning(write: Write) -> None:
    report = check_files([write(password("hunter2\n"))])
    assert report.ok and "white space" in report.warnings[0].message and "hunter2" not in str(report)


@pytest.mark.parametrize("kind", ["CiliumBGPClusterConfig", "Deployment"])
def test_kinds_that_are_not_read_are_named(write: Write, kind: str) -> None:
    report = check_files([write({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a"}})])
    assert (
        report.ok and report.documents[0].verdict is Verdict.NOT_USED and kind in report.warnings[0].message
    )


def test_objects_that_are_described_twice(write: Write) -> None:
    (problem,) = check_files([write(service("a"), service("a", namespace="other"), service("a"))]).problems
    assert problem.document == 3 and "Service a is described already" in problem.message
    (problem,) = check_files([write(policy(), name="1.yaml"), write(policy(), name="2.yaml")]).problems
    assert problem.source.endswith("2.yaml") and "1.yaml, line 1" in problem.message


OTHER = {"matchLabels": {"rack": "1"}}


@pytest.mark.parametrize(
    ("documents", "conflict"),
    [
        ([policy(name="a"), policy(name="b")], True),
        ([policy(name="a"), policy(name="b", nodeSelector=None)], True),
        ([policy(name="a", nodeSelector={}), policy(name="b")], True),
        ([policy(name="a"), policy(name="b", nodeSelector=OTHER)], False),
        ([node(), policy(name="a"), policy(name="b", nodeSelector=OTHER)], False),
        (
            [
                node(labels={"enable-bgp": "true", "rack": "1"}),
                policy(name="a"),
                policy(name="b", nodeSelector=OTHER),
            ],
            True,
        ),
    ],
)
def test_two_policies_for_one_node(write: Write, documents: list[Any], conflict: bool) -> None:
    report = check_files([write(*documents)])
    assert [p.path for p in report.problems] == (["spec.nodeSelector"] if conflict else [])
    assert all("as policy a" in p.message for p in report.problems)


def test_a_secret_that_a_state_file_lacks_is_a_warning(write: Write) -> None:
    with_secret = policy(router(neighbor(authSecretRef="bgp")))
    assert check_files([write(with_secret)]).warnings == ()
    (warning,) = check_files([write(node(), with_secret)]).warnings
    assert warning.path.endswith("neighbors[0].authSecretRef") and "gets no session" in warning.message


def huge_policy(neighbors: int, **last: Any) -> str:
    head = yaml.safe_dump(policy(), sort_keys=False).partition("    neighbors:")[0]
    rows = [
        f"    - peerAddress: 10.{n >> 16}.{(n >> 8) & 255}.{n & 255}/32\n      peerASN: 65000\n"
        for n in range(neighbors)
    ]
    return head + "    neighbors:\n" + "".join(rows) + "".join(f"      {k}: {v}\n" for k, v in last.items())


def test_a_hundred_thousand_lines_take_seconds_and_one_message(write: Write) -> None:
    small_enough = huge_policy(25_000, peerPort=70000) + "# end\n" * 50_000
    assert small_enough.count("\n") > 100_000
    start = time.process_time()
    (problem,) = check_files([write(small_enough)]).problems
    assert problem.path.endswith("neighbors[24999].peerPort") and "must be 1..65535" in problem.message
    assert problem.line is not None
    assert small_enough.splitlines()[problem.line - 1].strip() == "peerPort: 70000"
    assert time.process_time() - start < 5


def test_a_policy_that_no_cluster_can_store(write: Write) -> None:
    (problem,) = check_files([write(huge_policy(50_000))]).problems
    assert "a cluster stores at most 1572864" in problem.message


# --- the speaker's world ----------------------------------------------------------------------------------


def test_objects_of_a_state_file(write: Write) -> None:
    slices = endpoint_slice("web", endpoint())
    path = write(
        node(), node("worker-2"), policy(), service("web", "203.0.113.1"), slices, password("hunter2")
    )
    objects = objects_from_documents(load_documents([path]), "worker-1")
    assert objects.node is not None and objects.node["metadata"]["name"] == "worker-1"
    assert (len(objects.policies), len(objects.services), len(objects.endpoint_slices)) == (1, 1, 1)
    assert objects.secrets == {"bgp": Secret("hunter2")}
    assert len(compile_intent(objects, "worker-1").routes["65001/127.0.0.100"]) == 3


def test_string_data_goes_before_data(write: Write) -> None:
    both = {**password("old"), "stringData": {"password": "new"}}
    assert objects_from_documents(load_documents([write(node(), both)]), "worker-1").secrets["bgp"] == Secret(
        "new"
    )


def test_a_node_that_is_not_in_the_file(write: Write) -> None:
    documents = load_documents([write(node("worker-2"), node("worker-3"))])
    with pytest.raises(UsageError, match=r'no Node "worker-1" in .*; it has: worker-2, worker-3') as caught:
        objects_from_documents(documents, "worker-1")
    assert "--node-name" in caught.value.hint


def test_a_state_file_with_one_object_twice_is_refused(write: Write) -> None:
    with pytest.raises(InvalidDocuments, match="Secret bgp is described already"):
        objects_from_documents(load_documents([write(node(), password("a"), password("b"))]), "worker-1")
