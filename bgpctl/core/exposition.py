"""The Prometheus text format, read. Pure.

Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format". Whoever serves it may be
anybody: a line that is none costs itself, and what comes after the first `MOST_SAMPLES` is counted only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST_SAMPLES = 20_000  # of the metrics that are wanted, of one endpoint
LONGEST_LINE = 4096  # characters

# Blanks are never given back (`*+`): whoever writes the line would have us try every split of them.
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*\s*+=\s*+"(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\s*+\{{\s*+((?:{_LABEL}\s*+,\s*+)*(?:{_LABEL})?)\s*+\}})?"
    r"\s++(\S++)(?:\s++-?\d+)?",
    re.ASCII,
)
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"', re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|Inf|NaN)", re.ASCII)
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of one time series, as it was written: it may be NaN or infinite."""

    name: str
    labels: Mapping[str, str] = field(hash=False)
    value: float


@dataclass(frozen=True, slots=True)
class Exposition:
    """`bad`: lines that could not be read. `more`: samples beyond `MOST_SAMPLES`, which are left out."""

    samples: tuple[Sample, ...]
    bad: int = 0
    more: int = 0


def read(lines: Iterable[str], prefixes: tuple[str, ...]) -> Exposition:
    """The samples whose name begins with one of `prefixes`, without the buckets of histograms: their sum and
    count tell what a table has room for."""
    samples: list[Sample] = []
    bad = more = 0
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        sample = None if len(line) > LONGEST_LINE else _sample(line)
        if sample is None:
            bad += 1
        elif sample.name.startswith(prefixes) and "le" not in sample.labels:
            if len(samples) < MOST_SAMPLES:
                samples.append(sample)
            else:
                more += 1
    return Exposition(tuple(samples), bad, more)


def _sample(line: str) -> Sample | None:
    found = _SAMPLE.fullmatch(line)
    if found is None or not _NUMBER.fullmatch(found[3]):
        return None
    labels = {name: _unescaped(text) for name, text in _PAIR.findall(found[2] or "")}
    return Sample(found[1], labels, float(found[3]))


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda one: _ESCAPES.get(one[0], one[0]), text)
