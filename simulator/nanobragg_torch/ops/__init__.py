"""Operations that kernels and eager code share."""
