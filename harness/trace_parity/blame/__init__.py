"""Which program breaks its own equation."""
