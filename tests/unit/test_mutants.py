"""The tool that mutates the product: what it changes, and how it is told what needs no test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants import accepted, report, settings
from tests.mutants.source import Mutant, Source
from tests.mutants.swapping import Functions


def source(folder: Path, text: str) -> Source:
    (folder / "module.py").write_text(text)
    return Source(folder, "module.py")


def mutants(folder: Path, text: str) -> dict[str, Mutant]:
    """By the mutated statement."""
    return {mutant.texts()[1]: mutant for mutant in source(folder, text).mutants()}


def in_function(folder: Path, statement: str, returns: str = "None") -> set[str]:
    return set(mutants(folder, f"def f(a, b, c=None) -> {returns}:\n    {statement}\n"))


@pytest.mark.parametrize(
    ("statement", "mutated"),
    [
        ("a(x=b < c)", {"pass", "a()", "a(x=b <= c)", "a(x=b >= c)"}),
        ("a.b = not c", {"pass", "a.b = c"}),
        ("a.b = b and c", {"pass", "a.b = b or c", "a.b = b", "a.b = c"}),
        ("a = b or a", {"pass", "a = b and a", "a = b", "a = a"}),
        ("a += 1", {"pass", "a -= 1", "a += 2", "a += 0"}),
        ("return a * b", {"return None", "return a // b"}),
        ("return a[1:]", {"return None", "return a[2:]", "return a[0:]"}),
        ("return a.get('key', 5000)", {"return None", "return a.get('', 5000)", "return a.get('key', 10001)"}
         | {"return a.get('key')"}),
        ("return {'a': b, **c}", {"return None", "return {'a': b}", "return {**c}", "return {'': b, **c}"}),
        ("return sorted(a)", {"return None", "return a"}),
        ("return min(a, key=b)", {"return None", "return max(a, key=b)", "return min(a)"}),
        ("return a in ('x', b)", {"return None", "return a not in ('x', b)", "return a in (b,)"}
         | {"return a in ('x',)", "return a in ('', b)"}),
        ("return a, b", {"return None"}),
        ("return b if a else c", {"return None", "return b if True else c", "return b if False else c"}),
        ("return [x for x in a if x > b]", {"return None", "return [x for x in a]"}
         | {"return [x for x in a if x >= b]", "return [x for x in a if x <= b]"}),
        ("return isinstance(a, int | str)", {"return None", "return isinstance(a, int)"}
         | {"return isinstance(a, str)"}),
        ("raise a(f'{b}')", {"pass"}),
        ("log.info('so many: %d', 1)", {"pass"}),
    ],
)  # fmt: skip
def test_every_way_in_which_a_statement_may_be_wrong(
    tmp_path: Path, statement: str, mutated: set[str]
) -> None:
    assert in_function(tmp_path, statement) == mutated


@pytest.mark.parametrize(
    ("returns", "mutated"),
    [
        ("bool", {"return True", "return False"}),
        ("str", {"return ''"}),
        ("tuple[int, ...]", {"return ()"}),
        ("frozenset[str]", {"return frozenset()"}),
        ("dict[str, int]", {"return {}"}),
        ("tuple[int, ...] | None", {"return None"}),
        ("Node", {"return None"}),
    ],
)
def test_the_empty_answer_of_the_type_that_is_promised(
    tmp_path: Path, returns: str, mutated: set[str]
) -> None:
    assert in_function(tmp_path, "return a", returns) == mutated


def test_what_only_a_reader_sees_stays(tmp_path: Path) -> None:
    text = '''
"""Of the module."""
from __future__ import annotations
__all__ = ["f"]
Word = dict[str, int]
@decorated(1)
class A(Base, total=False):
    """Of the class."""
    field: Literal["x"]
def f(a: Literal["y"]) -> Literal["z"]:
    """Of the function."""
    assert a == 1
    return a  # 1
'''
    assert set(mutants(tmp_path, text)) == {"return None"}


# The mutants that survived when some were tried by hand, in the words of the code that they were tried on.
FENCED = """
class World:
    def evict(self, action):
        self.fence()
        options = {"preconditions": {"uid": action.uid}}
        if action.grace_period >= 0:
            options["gracePeriodSeconds"] = action.grace_period
        return self.client.create(action.path, {"deleteOptions": options})

    def fence(self):
        if self.journal is not None and self.journal.holder != self.holder():
            raise taken_over(self.journal.holder)
        if self.lock is None or not self.lock.held:
            raise Blocked("this run no longer owns the node")

    def change(self, body):
        metadata = {"resourceVersion": self.document["metadata"]["resourceVersion"]}
        metadata["labels"] = body
        return self.client.patch(self.node, body)
"""


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        ("evict", "self.fence()", "pass"),
        ("evict", "options = {'preconditions': {'uid': action.uid}}", "options = {}"),
        ("evict", "options = {'preconditions': {'uid': action.uid}}", "options = {'preconditions': {}}"),
        ("fence", "if self.journal is not None and self.journal.holder != self.holder():", "if False:"),
        ("fence", "if self.lock is None or not self.lock.held:", "if False:"),
        ("fence", "if self.lock is None or not self.lock.held:", "if self.lock is None:"),
        (
            "change",
            "metadata = {'resourceVersion': self.document['metadata']['resourceVersion']}",
            "metadata = {}",
        ),
    ],
)
def test_the_survivors_of_a_trial_by_hand_are_among_them(
    tmp_path: Path, function: str, before: str, after: str
) -> None:
    found = {(m.function, *m.texts()) for m in source(tmp_path, FENCED).mutants()}
    assert (f"World.{function}", before, after) in found


def test_every_mutant_is_another_program_and_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    fenced = source(tmp_path, FENCED)
    before, code = ast.dump(fenced.tree), fenced.compiled()
    assert all(mutant.compiled() != code for mutant in fenced.mutants())
    assert ast.dump(fenced.tree) == before


# --- in a running program -----------------------------------------------------------------------------------

RUNNING = """
def f(a):
    return g(a) + 1

def g(a):
    return [x for x in a if x > 1][0]

TABLE = {"f": f}
"""


def test_whoever_holds_a_function_holds_the_mutant(tmp_path: Path) -> None:
    found = mutants(tmp_path, RUNNING)
    names: dict[str, dict[str, object]] = {}
    module = found["return None"].source
    exec(module.compiled(), names)
    held = names["TABLE"]["f"]
    functions = Functions([str(module.file)])
    assert held([1, 2]) == 3
    assert functions.become(found["return [x for x in a if x > 0][0]"].compiled())
    assert held([1, 2]) == 2
    assert functions.become(found["return g(a) - 1"].compiled())
    assert held([1, 2]) == 1, "one mutant at a time"
    assert not functions.become(found["TABLE = {}"].compiled()) or held([1, 2]) == 3


# --- accepted.txt -------------------------------------------------------------------------------------------


def test_an_accepted_survivor_is_named_and_one_that_is_no_more_is_told(tmp_path: Path) -> None:
    found = mutants(tmp_path, RUNNING)
    mutant = found["return g(a) - 1"]
    assert accepted.line(mutant) == "module.py :: f :: return g(a) + 1 => return g(a) - 1"
    known = accepted.Accepted(
        [
            "# why",
            "",
            f"{accepted.line(mutant)} :: nobody reads it",
            "module.py :: f :: x => y :: it was once",
        ]
    )
    assert [text for text, each in found.items() if each in known] == ["return g(a) - 1"]
    assert known.stale(found.values()) == [("module.py", "f", "x => y")]


@pytest.mark.parametrize("line", ["module.py :: f :: a => b", "module.py :: f :: a => b ::  ", "nonsense"])
def test_an_entry_without_a_reason_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"accepted\.txt:2"):
        accepted.Accepted(["", line])


def test_what_is_accepted_is_still_there() -> None:
    """Found out here, in seconds, and not when all mutants have run."""
    known = accepted.read(settings.ACCEPTED)
    files = {path for path, _, _ in known.reasons if (settings.ROOT / path).exists()}
    made = [mutant for path in sorted(files) for mutant in Source(settings.ROOT, path).mutants()]
    assert not list(report.stale(known.stale(made)))
