"""The objects of an install as a stream of YAML, each under a comment that says what for; or as one List."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bgpctl.render.envelope import write_json, write_text

if TYPE_CHECKING:
    from bgpctl.install.manifests import Manifest


def stream(found: Sequence[Manifest], head: str) -> str:
    """The same objects always give the same text."""
    return "".join((f"# {head}\n", *(f"---\n# {one.why}\n{text(one.document)}" for one in found)))


def text(document: Mapping[str, Any]) -> str:
    """One object, its fields in their order; nothing is an alias."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    made: str = yaml.dump(document, Dumper=Plain, sort_keys=False, width=110, allow_unicode=True)
    return made


def listed(found: Sequence[Manifest]) -> Mapping[str, Any]:
    """As `kubectl get -o json` has several objects."""
    return {"apiVersion": "v1", "kind": "List", "items": [one.document for one in found]}


PRINTERS: Mapping[str, Callable[[Sequence[Manifest], str], None]] = {
    "yaml": lambda found, head: write_text(stream(found, head)),
    "json": lambda found, head: write_json(listed(found)),
}
