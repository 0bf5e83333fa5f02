"""Libraries that only one format needs: imported when that format is used, with one clear error if missing."""

from __future__ import annotations

import importlib
from typing import Any

from nanobragg_torch.errors import ExperimentError

EXTRAS = {"gemmi": "xtal", "fabio": "cbf", "h5py": "nexus"}


def needed(module: str, flag: str) -> Any:
    """The module (`fabio.cbfimage`, …); ExperimentError says how to install it where it is missing."""
    library = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != library:
            raise
        hint = f"pip install 'trace-parity[{EXTRAS[library]}]'"
        raise ExperimentError(f"{flag}: {library} is not installed, and this format needs it: {hint}") from None
