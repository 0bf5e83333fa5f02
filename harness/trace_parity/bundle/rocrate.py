"""ro-crate-metadata.json: which program made which file of a bundle from what.

RO-Crate 1.1 with the Process Run Crate profile: one CreateAction per program that ran.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trace_parity import __version__
from trace_parity.render.places import Places
from trace_parity.result.result import Result, to_json

_MEDIA = {
    ".json": "application/json",
    ".md": "text/markdown",
    ".html": "text/html",
    ".xml": "application/xml",
    ".csv": "text/csv",
    ".toml": "application/toml",
    ".png": "image/png",
    ".bin": "application/octet-stream",
}


@dataclass(frozen=True)
class Action:
    """One program's run: what it is, its command line, the bundle files that it wrote."""

    id: str
    title: str
    command: Sequence[str]
    wrote: Sequence[str]


def rocrate(result: Result, files: Sequence[str], actions: Sequence[Action], created: str) -> str:
    """The metadata file of a bundle of `files`, as JSON-LD text."""
    inputs = [{"@id": f"#input-{name}"} for name in result.case.inputs]
    graph: list[dict[str, Any]] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"trace comparison {result.case.id}: {result.verdict}",
            "description": Places(result).headline,
            "datePublished": created,
            "license": {"@id": "https://spdx.org/licenses/MIT"},
            "conformsTo": {"@id": "https://w3id.org/ro/wfrun/process/0.5"},
            "hasPart": [{"@id": name} for name in files],
            "mentions": [{"@id": action.id} for action in actions],
        },
        {
            "@id": "https://w3id.org/ro/wfrun/process/0.5",
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        },
        *({"@id": name, "@type": "File", "encodingFormat": _media(name)} for name in files),
        *(
            {"@id": f"#input-{name}", "@type": "File", "name": name, "sha256": digest}
            for name, digest in result.case.inputs.items()
        ),
    ]
    for action in actions:
        program = f"{action.id}-program"
        graph += [
            {"@id": program, "@type": "SoftwareApplication", "name": action.title, "softwareVersion": __version__},
            {
                "@id": action.id,
                "@type": "CreateAction",
                "name": action.title,
                "description": shlex.join(action.command),
                "instrument": {"@id": program},
                "object": inputs,
                "result": [{"@id": name} for name in action.wrote],
                "endTime": created,
                "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
            },
        ]
    return to_json({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph})


def _media(name: str) -> str:
    return next((media for suffix, media in _MEDIA.items() if name.endswith(suffix)), "text/plain")
