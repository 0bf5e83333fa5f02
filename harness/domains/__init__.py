"""The equations of each kind of simulation. A new one is a module here and a line in `DOMAINS`.

The harness asks by the title of the vocabulary and knows nothing else of what is simulated.
"""

from __future__ import annotations

from importlib import import_module

from harness.blame_model import Domain
from harness.vocabulary import Vocabulary

DOMAINS = {"nanoBragg": "harness.domains.nanobragg"}
"""Title of a vocabulary to the module that has `DOMAIN`; imported when asked for."""


def domain_for(vocabulary: Vocabulary) -> Domain | None:
    """The equations that belong to a vocabulary, or None."""
    module = DOMAINS.get(vocabulary.title)
    if module is None:
        return None
    domain: Domain = import_module(module).DOMAIN
    return domain
