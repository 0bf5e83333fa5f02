"""The tables of probes that pair.toml may have, as probes.toml does (probe/probes_file.py)."""

from __future__ import annotations

KEYS = ("loops", "scopes", "c", "py", "variables", "replay")
