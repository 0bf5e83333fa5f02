"""`python -m harness` is `trace-diff`."""

from trace_parity.cli.main import main

main()
