"""Imported first by the package, which calls `end` last: no collection of garbage while PyTorch is imported.

That makes half a million objects and hardly any garbage; looking through them again and again takes a tenth of it.
"""

from __future__ import annotations

import gc

_was_enabled = gc.isenabled()
gc.disable()


def end() -> None:
    """Collect again, if it was so before; what there is counts as old, so that it is not looked through at once."""
    if not gc.get_freeze_count():  # else the program's own would be released
        gc.freeze()
        gc.unfreeze()
    if _was_enabled:
        gc.enable()
