"""`-o jsonpath=…`: what kubectl makes of a template, we make of it; the rest is refused with its column."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.reading.jsonpath import evaluate, parse

POD: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "labels": {"b": "c", "k": "v", "x.y/z": "q"}},
    "spec": {
        "containers": [
            {"image": "i1", "name": "one", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
            {"image": "i2", "name": "two"},
            {"image": "i3", "name": "three", "tty": True},
        ]
    },
}
SAME = {
    ".metadata.name": ".metadata.name",
    "{.metadata.name}": "a",
    "{$.metadata.name} {@.kind}": "a Pod",
    "{ .metadata.name }": "a",
    r"{.metadata.labels.x\.y/z} {.metadata.labels['b']}": "q c",
    "{.metadata.labels.*}": None,  # the order of a map is nobody's
    "{.metadata.labels}": '{"b":"c","k":"v","x.y/z":"q"}',
    "{.spec.containers[*].name}": "one two three",
    "{.spec.containers.name}": "",
    "{.spec.containers[0:2].name}": "one two",
    "{.spec.containers[::2].name}": "one three",
    '{.spec.containers[-1].name}{"\\n"}': "three\n",
    '{range .spec.containers[*]}{.name}{"\\t"}{$.metadata.name}{@.image}{"\\n"}{end}': None,
    "{range .spec.containers[*]}{range .ports[*]}{.containerPort},{end}{.name};{end}": "80,81,one;two;three;",
    '{.spec.containers[?(@.name=="two")].image}': "i2",
    "{.spec.containers[?(@.name=='two')].image}": "i2",
    '{.spec.containers[?(@.name!="two")].name}': "one three",
    '{.spec.containers[?(@.name<"two")].name}': "one three",
    "{.spec.containers[?(@.tty)].name}": "three",
    "{.spec.containers[?(@.tty==true)].name}": "three",
    "{.spec.containers[0].ports[?(@.containerPort>80)]}": '{"containerPort":81}',
    "{.spec.containers[?(@.ports[0].containerPort==80)].name}": "one",
    "{.spec.containers[0].ports}": '[{"containerPort":80},{"containerPort":81}]',
    "{.spec.nope}|{.spec.containers[2].tty}": "|true",
    "{.metadata.name.foo}": "",
    "{\"a\"}{'b\\n'}x\\n": "ab\nx\\n",
    "{.kind}}": "Pod}",
}


@pytest.mark.parametrize("template", SAME)
def test_a_template_says(template: str) -> None:
    if SAME[template] is not None:
        assert evaluate(parse(template), POD) == SAME[template]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_as_kubectl_has_it(tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(POD), "utf-8")
    for template in SAME:
        ours = evaluate(parse(template), POD)
        argv = ["kubectl", "label", "--local", "-f", str(file), "k=v", "--overwrite", "-o"]
        ran = subprocess.run([*argv, f"jsonpath={template}"], capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0, ran.stderr
        assert sorted(ran.stdout.split(" ")) == sorted(ours.split(" ")), template


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{.a", "column 4: a brace is not closed"),
        ("{..a}", "column 2: `..` is not understood here"),
        ("x{a}", "column 3: write a path that begins with a dot"),
        ("{.a[0,1]}", "column 5: write [*], [0]"),
        ("{.a[]}", "column 5: write [*], [0]"),
        ("{.a[x]}", "column 5: write [*], [0]"),
        ("{.a[?(@.b=~'c')]}", "column 10: a filter is"),
        ("{.a[?(@.b==c)]}", "column 12: compare with a text"),
        ("{.a[::0]}", "column 5: a slice goes forward"),
        ("{end}", "column 2: there is no range to end"),
        ("{range .a}{.b}", "column 15: a range has no {end}"),
        ("{range}", "column 7: write a path"),
        ("{.a|b}", "column 4: write a path"),
    ],
)
def test_the_rest_is_refused_with_its_place(template: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"column \d+: ") as told:
        parse(template)
    assert str(told.value).startswith(complaint)


def test_an_index_that_a_list_has_not_gives_nothing() -> None:
    assert evaluate(parse("{.spec.containers[9].name}{.spec.containers[5:].name}{.kind}"), POD) == "Pod"
    assert evaluate(parse("{.spec.containers[-9].name}"), POD) == ""


def test_what_is_not_known_is_nothing() -> None:
    assert evaluate(parse("{.a}{.b}{.c[?(@.x<1)]}"), {"a": None, "b": False, "c": [{"x": "1"}]}) == "false"


@given(st.text("{}.[]()?@$*:'\"\\ abc0=<,~", max_size=30))
def test_any_text_is_parsed_or_refused(template: str) -> None:
    try:
        parts = parse(template)
    except ValueError as error:
        assert str(error).startswith("column ")
    else:
        assert isinstance(evaluate(parts, POD), str)


@pytest.mark.parametrize(
    ("operator", "numbers"),
    [("==", "2"), ("!=", "1 3"), ("<", "1"), ("<=", "1 2"), (">", "3"), (">=", "2 3")],
)
def test_each_comparison(operator: str, numbers: str) -> None:
    items = {"items": [{"n": n} for n in (1, 2, 3)]}
    assert evaluate(parse(f"{{.items[?(@.n{operator}2)].n}}"), items) == numbers
