"""The subcommands of `trace-diff`, one file each."""
