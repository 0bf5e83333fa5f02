"""The C reference program, shipped as source so that an installed wheel can build it."""
