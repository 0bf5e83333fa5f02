"""Values that are words (`convention MOSFLM`): compared as text, exactly.

A text is carried as a number, 48 bits of its digest, so that whatever reads, joins and judges numbers does the same for
it. Reports show the words.
"""

from __future__ import annotations

import dataclasses
import hashlib

from trace_parity.pair.vocabulary import Tolerance, Variable
from trace_parity.trace.number import Parsed

EXACT_TEXT = Tolerance("text", 0.0, 0.0, None, "Words agree when they are the same.")


def text_number(text: str) -> Parsed:
    """The number that represents a text."""
    whole = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).digest(), "big")
    return Parsed(float(whole), whole)


def text_variable(variable: Variable) -> Variable:
    """An unlisted variable, as text is judged."""
    return dataclasses.replace(variable, tolerance=EXACT_TEXT, unit="text", description="text")
