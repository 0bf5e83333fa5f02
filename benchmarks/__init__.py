"""Programs that measure. They make their inputs with the shipped pair's modules, which are data and not installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "traces"))
