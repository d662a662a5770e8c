"""Writes what is made of `bgpctl install`'s own tables: `python -m tests.manifests`.

The kustomize base (bgpctl/deploy/base) and, of the chart (bgpctl/deploy/charts/bgpctl), its values, their
schema, its definitions and the files that its templates read; docs/install.md's tables. The chart's templates
are written by hand, and a test holds what Helm makes of them against `bgpctl install -o yaml`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bgpctl.install import admission, crds, dashboards, monitoring
from bgpctl.install.manifests import Manifest, manifests
from bgpctl.install.rights import EXTRAS, ROLES, TITLES, Right
from bgpctl.install.roles import rule_of
from bgpctl.install.settings import SETTINGS, options, typed
from bgpctl.render.manifests import stream, text

ROOT = Path(__file__).resolve().parent.parent
CHART, BASE, PAGE = (
    ROOT / "bgpctl/deploy/charts/bgpctl",
    ROOT / "bgpctl/deploy/base",
    ROOT / "docs/install.md",
)
WRITTEN = "Written by `python -m tests.manifests`; do not edit."
NOT_IN_CHART = ("createNamespace", "crds")
"""Helm makes a namespace, and definitions that are missing, by flags of its own."""


def everything() -> Iterator[tuple[Path, str]]:
    """Each file and its text."""
    yield from _base()
    yield CHART / "values.yaml", _values()
    yield CHART / "values.schema.json", _json(schema())
    yield CHART / "files/rights.json", _json(_rights())
    yield CHART / "files/own-node.cel", admission.OWN_NODE + "\n"
    monitor, rules = monitoring.monitors(options())
    yield CHART / "files/podmonitor.json", _json(monitor["spec"])
    yield CHART / "files/prometheusrule.json", _json(rules["spec"])
    for name in dashboards.DASHBOARDS:
        for file, content in dashboards.data(name).items():
            yield CHART / "files/dashboards" / file, content
    for one in crds.definitions(options()):
        one["metadata"]["labels"] = {}
        yield CHART / "crds" / f"{one['metadata']['name']}.yaml", f"# {WRITTEN}\n{text(_bare(one))}"
    yield PAGE, page()


def _bare(definition: dict[str, Any]) -> dict[str, Any]:
    """What is in the chart's crds/ no template touches: labels of an install cannot be there."""
    meta = {key: value for key, value in definition["metadata"].items() if key != "labels"}
    return {**definition, "metadata": meta}


def _base() -> Iterator[tuple[Path, str]]:
    files: dict[str, list[Manifest]] = {}
    for one in manifests(options()):
        files.setdefault(_file(one), []).append(one)
    for name, found in files.items():
        yield BASE / name, stream(found, WRITTEN)
    listed = "".join(f"  - {name}\n" for name in files)
    head = f"# {WRITTEN}\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    yield BASE / "kustomization.yaml", head + listed


def _file(one: Manifest) -> str:
    if one.kind == "CustomResourceDefinition":
        return "crds.yaml"
    if one.kind in ("ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"):
        return "rbac.yaml"
    return {"Namespace": "namespace.yaml", "DaemonSet": f"{one.name}.yaml"}.get(one.kind, "admission.yaml")


def _rights() -> dict[str, list[dict[str, Any]]]:
    return {
        role: [
            *({"extra": "", "namespace": one.namespace, "rule": rule_of(one)} for one in rows),
            *(
                {"extra": extra, "namespace": one.namespace, "rule": rule_of(one)}
                for extra, more in EXTRAS.items()
                for one in more.get(role, ())
            ),
        ]
        for role, rows in ROLES.items()
    }


def _values() -> str:
    parts = [f"# {WRITTEN}\n"]
    for key, setting in _chosen():
        value = list(setting.default) if isinstance(setting.default, tuple) else setting.default
        parts.append(f"\n# {setting.help}\n{key}: {json.dumps(value)}\n")
    return "".join(parts)


def _chosen() -> Iterator[tuple[str, Any]]:
    return ((key, setting) for key, setting in SETTINGS.items() if key not in NOT_IN_CHART)


def schema() -> dict[str, Any]:
    """Of the chart's values. What a pattern cannot tell, `bgpctl install` tells."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": {"type": "object"}, **{key: _field(one) for key, one in _chosen()}},
    }


def _field(setting: Any) -> dict[str, Any]:
    about = {"description": setting.help}
    if setting.kind == "flag":
        return {**about, "type": "boolean"}
    word: dict[str, Any] = {"type": "string"}
    if setting.choices:
        word["enum"] = list(setting.choices)
    if setting.pattern:
        word["pattern"] = f"^({setting.pattern})$"
    if setting.kind == "words":
        return {**about, "type": "array", "items": word, "uniqueItems": True}
    return {**about, **word}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


# --- docs/install.md


def page() -> str:
    """The page as it is, with its tables made anew: each stands between two comments."""
    found = PAGE.read_text()
    for name, table in (("settings", _settings_table()), ("rights", _rights_tables())):
        begin, end = f"<!-- {name}: {WRITTEN} -->\n", f"<!-- end of {name} -->"
        found = re.sub(
            f"{re.escape(begin)}.*?{end}", lambda _, t=table, b=begin, e=end: b + t + e, found, flags=re.S
        )
    return found


def _settings_table() -> str:
    rows = (
        f"| `{key}` | {_shown(typed(one.default))} | {_cell(one.help)} |\n" for key, one in SETTINGS.items()
    )
    return "\n| key | default | what for |\n|---|---|---|\n" + "".join(rows) + "\n"


def _shown(value: str) -> str:
    return f"`{value}`" if value else ""


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def _rights_tables() -> str:
    parts = []
    for role, rows in ROLES.items():
        parts.append(f"\n### bgpctl-{role}\n\nOf {TITLES[role]}.\n\n{_table(rows)}")
        for extra, more in EXTRAS.items():
            if rows := more.get(role, ()):
                parts.append(f"\nWith `--set extras={extra}` also:\n\n{_table(rows)}")
    return "".join(parts) + "\n"


def _table(rows: Any) -> str:
    head = "| may | what for | without it |\n|---|---|---|\n"
    return head + "".join(_right(one) for one in rows)


def _right(one: Right) -> str:
    return f"| {_cell(one.words)} | {_cell(one.why)} | {_cell(one.without) or 'it refuses, and names it'} |\n"


def main() -> None:
    """Write every file."""
    for path, content in everything():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
