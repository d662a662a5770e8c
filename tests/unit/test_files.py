"""Files: what cannot be read, and the world that a state file describes."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from bgpctl.core.intent.compile import compile_intent
from bgpctl.core.model import Secret
from bgpctl.documents import files
from bgpctl.documents.files import MAX_PROBLEMS, load_documents, objects_from_documents, read_documents
from bgpctl.errors import Exit, InvalidDocuments, UsageError
from tests.support.documents import Write, write
from tests.support.objects import endpoint, endpoint_slice, node, password_secret, policy, service

__all__ = ["write"]

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


def test_a_bound_on_all_files_together(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in ("a", "b", "c"))
    Path(one).write_text("kind: Node # " + "a" * 600)
    Path(two).write_text("kind: Service # " + "a" * 600)
    Path(three).write_text("a" * 1025)
    loaded = read_documents([one, two, three], 1 << 10)
    assert [document.kind for document in loaded.documents] == ["Node"]
    assert [(problem.source, problem.message) for problem in loaded.problems] == [
        (two, "the files together are larger than 0 MiB: check this one by itself"),
        (three, "is larger than 0 MiB, which is the limit"),
    ]


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


def test_a_document_with_a_duplicate_key_is_not_used(write: Write) -> None:
    loaded = read_documents([write("kind: Node\nkind: Service\n---\nkind: Secret\n")])
    assert [document.kind for document in loaded.documents] == ["Secret"]
    assert [problem.document for problem in loaded.problems] == [1]


def test_many_faults_of_one_document_are_cut_short(write: Write) -> None:
    messages = faults(write(b"a: 1\n" * 100_000))
    assert len(messages) == MAX_PROBLEMS + 1
    assert 'duplicate key "a" (line 2, column 1)' in messages[0]
    assert f"and {99_999 - MAX_PROBLEMS} more" in messages[-1]


# --- the speaker's world ----------------------------------------------------------------------------------


def test_objects_of_a_state_file(write: Write) -> None:
    slices = endpoint_slice("web", endpoint())
    path = write(
        node(), node("worker-2"), policy(), service("web", "203.0.113.1"), slices, password_secret("hunter2")
    )
    objects = objects_from_documents(load_documents([path]), "worker-1")
    assert objects.node is not None and objects.node["metadata"]["name"] == "worker-1"
    assert (len(objects.policies), len(objects.services), len(objects.endpoint_slices)) == (1, 1, 1)
    assert objects.secrets == {"bgp": Secret("hunter2")}
    assert len(compile_intent(objects, "worker-1").routes["65001/127.0.0.100"]) == 3


def test_string_data_goes_before_data(write: Write) -> None:
    both = {**password_secret("old"), "stringData": {"password": "new"}}
    assert objects_from_documents(load_documents([write(node(), both)]), "worker-1").secrets["bgp"] == Secret(
        "new"
    )


def test_a_node_that_is_not_in_the_file(write: Write) -> None:
    documents = load_documents([write(node("worker-2"), node("worker-3"))])
    with pytest.raises(UsageError, match=r'no Node "worker-1" in .*; it has: none') as none:
        objects_from_documents((), "worker-1")
    assert none.value.hint.startswith("add the Node with its labels; `bgpctl policy check FILE` tells")
    with pytest.raises(UsageError, match=r'no Node "worker-1" in .*; it has: worker-2, worker-3') as caught:
        objects_from_documents(documents, "worker-1")
    assert "--node-name" in caught.value.hint


def test_a_state_file_with_one_object_twice_is_refused(write: Write) -> None:
    with pytest.raises(InvalidDocuments, match="Secret bgp is described already"):
        objects_from_documents(
            load_documents([write(node(), password_secret("a"), password_secret("b"))]), "worker-1"
        )
