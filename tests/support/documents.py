"""A fixture that writes Kubernetes documents to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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
