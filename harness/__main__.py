"""`python -m harness` is `trace-diff`."""

from harness.cli import main

main()
