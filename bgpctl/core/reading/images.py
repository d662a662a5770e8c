"""Names of container images, as the kubelet takes them. Pure.

Source: github.com/distribution/reference, regexp.go and reference.go (`ParseNormalizedNamed`).
"""

from __future__ import annotations

import re

LONGEST_NAME = 255
LONGEST = 640  # with tag and digest
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])"
_PATH = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST}(?::\d+)?/)?{_PATH}(?:/{_PATH})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}))?",
    re.ASCII,
)
RULE = "[REGISTRY[:PORT]/]NAME[:TAG][@DIGEST], as in quay.io/cilium/cilium:v1.18.1"


def valid_image(text: str) -> bool:
    """Could a kubelet ask a registry for it?"""
    return 0 < len(repository(text)) <= LONGEST_NAME


def repository(text: str) -> str:
    """Its name without tag and digest; "" = it is no image's."""
    found = _IMAGE.fullmatch(text) if len(text) <= LONGEST else None
    return found["name"] if found else ""
