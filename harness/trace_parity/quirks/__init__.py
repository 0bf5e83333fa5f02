"""Known quirks: recognised in a comparison, and waived."""
