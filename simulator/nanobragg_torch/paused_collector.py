"""Imported first by the package, which calls `end` last: no collection of garbage while PyTorch is imported.

The import creates half a million objects and hardly any garbage; repeated collection takes a tenth of its time.
"""

from __future__ import annotations

import gc

_was_enabled = gc.isenabled()
gc.disable()


def end() -> None:
    """Enable collection again if it was enabled before; existing objects become old, so that they are not scanned."""
    if not gc.get_freeze_count():  # else the program's own would be released
        gc.freeze()
        gc.unfreeze()
    if _was_enabled:
        gc.enable()
