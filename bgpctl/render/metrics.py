"""`metrics`: one row per sample, with its node, peer and address family; and who told nothing.

A histogram is one row, its mean. One of several alternatives (a phase, a reason) that is 0 says nothing, and
is in the JSON only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, isnan
from typing import Any

from bgpctl.core.exposition import Sample
from bgpctl.core.reading.foreign import LAST_INSTANT
from bgpctl.queries.metrics import Answer, Report
from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope, present
from bgpctl.render.formats import renderers
from bgpctl.render.text import Cell, Line, Style, line, prose

HEADER = ("NODE", "PEER", "FAMILY", "METRIC", "VALUE")
_PEER = ("neighbor", "peer", "address")
_FAMILY = ("afi", "safi")
# What goes without saying beside the peer: of which instance, and the AS numbers.
_IDENTITY = ("instance_name", "vrouter", "local_asn", "neighbor_asn", "asn")
_LABELS = {*_PEER, *_FAMILY, *_IDENTITY}


def text(report: Report, width: int | None = None) -> list[Line]:
    """The table, what could not be read, and how much was."""
    rows = list(_rows(report))
    shown = table(HEADER, rows, ("VALUE",), width, "-") if rows else []
    unread = [row for one in report.unread for row in prose(f"{one.name}: {one.reason}", width, "accent")]
    rights = dict.fromkeys(f"ask for the right to {one.missing}" for one in report.unread if one.missing)
    notes = [*unread, *(row for right in rights for row in prose(right, width))]
    if rows:
        notes = [*prose(f"names begin with {report.prefixes[0]} where they are short", width, "dim"), *notes]
    blank = [line("")] if shown else []
    style: Style = "accent" if report.unread else "bold"
    return [*shown, *blank, *notes, *([line("")] if notes else []), *prose(summary(report), width, style)]


def summary(report: Report) -> str:
    """The sentence that comes last."""
    total, unread = len(report.answers), len(report.unread)
    if not unread:
        return f"{units.count(total, 'endpoint')} read"
    told = f"{total - unread} of {units.count(total, 'endpoint')} read whole"
    return f"{told}; what is missing is unknown, not zero"


def _rows(report: Report) -> Iterator[list[Cell]]:
    for answer in report.answers:
        sums = {(s.name, _key(s)): s.value for s in answer.told.samples if s.name.endswith("_sum")}
        counts = {(s.name, _key(s)) for s in answer.told.samples if s.name.endswith("_count")}
        for sample in sorted(answer.told.samples, key=lambda s: (_peer(s), _family(s), s.name)):
            base = sample.name.removesuffix("_count").removesuffix("_sum")
            key = _key(sample)
            if sample.name.endswith("_sum") and (f"{base}_count", key) in counts:
                continue
            rest = ",".join(f"{k}={v}" for k, v in sample.labels.items() if k not in _LABELS)
            if rest and sample.value == 0:
                continue
            name, value = sample.name, _number(sample.name, sample.value)
            if sample.name.endswith("_count") and (f"{base}_sum", key) in sums:
                name, value = base, _mean(base, sums[f"{base}_sum", key], sample.value)
            short = name.removeprefix(report.prefixes[0]) + (f"{{{rest}}}" if rest else "")
            yield [answer.node, _peer(sample), _family(sample), short, value]


def _key(sample: Sample) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(sample.labels.items()))


def _peer(sample: Sample) -> str:
    return next((sample.labels[name] for name in _PEER if sample.labels.get(name)), "-")


def _family(sample: Sample) -> str:
    afi, safi = (sample.labels.get(name, "") for name in _FAMILY)
    return "/".join(filter(None, (afi, safi if safi != "unicast" else ""))) or "-"


def _mean(name: str, total: float, count: float) -> str:
    if not count or not isfinite(count):
        return "none yet" if count == 0 else "unknown"
    return f"{_number(name, total / count)} mean"


def _number(name: str, value: float) -> str:
    """With its unit where the name has one. NaN is how a metric says that it does not know."""
    if isnan(value):
        return "unknown"
    if name.endswith(("timestamp_seconds", "start_time_seconds")) and 0 < value < LAST_INSTANT:
        return f"{units.day(value)} {units.clock(value)[:8]}"
    digits = str(int(value)) if value == value // 1 and abs(value) < 1e15 else f"{value:.3g}"
    return f"{digits} s" if name.endswith("_seconds") else digits


def document(report: Report) -> Document:
    """Every sample as it was told; a value that is no number of JSON is null."""
    return envelope(
        "metrics",
        "failed" if report.unread else "done",
        message=summary(report),
        samples=[_sample(node, sample) for node, sample in report.samples],
        unread=[_unread(one) for one in report.unread],
    )


def _sample(node: str, sample: Sample) -> Mapping[str, Any]:
    value = sample.value if isfinite(sample.value) else None
    return {"node": node, "metric": sample.name, "labels": sample.labels, "value": value}


def _unread(one: Answer) -> Document:
    """What is missing, and why."""
    return present(
        node=one.node,
        pod=one.pod or None,
        port=one.port or None,
        reason=one.reason,
        missingRight=one.missing or None,
    )


RENDERERS = renderers(lambda page, report: text(report, page.width), document)
