"""What a terminal or a file that is not UTF-8 gets in place of our few signs: their ASCII."""

from __future__ import annotations

import codecs

SIGNS = {"–": "-", "—": "-", "…": "...", "·": "*", "§": "section ", "µ": "u", "✓": "+", "✗": "x"}
SIGNS |= dict(zip("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\|/-\\|/", strict=True))  # what turns while a step is at work
HANDLER = "bgpctl.ascii"


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """An error handler (codecs.register_error): our signs in ASCII, all else as "?". Raises what is no error
    of encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(SIGNS.get(sign, "?") for sign in bad), error.end


codecs.register_error(HANDLER, in_ascii)
