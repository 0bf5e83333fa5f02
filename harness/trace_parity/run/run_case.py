"""The main job: run both programs on one command line, compare their traces and images, leave a bundle."""

from __future__ import annotations
