"""Every tolerance that a test applies to a golden figure, with its reason.

All are relative. Nothing here is an absolute number of its own: where a value can be small by cancellation,
the tolerance is a fraction of a named scale (the image's maximum, a vector's length, the cell count Na*Nb*Nc).
"""

# A pixel against the golden float32 image: float32 itself resolves 6e-8, so 1e-6 is some 16 of its steps.
IMAGE_REL = 1e-6
# Pixels below this fraction of the maximum are sums of cancelling sines; they are held to the maximum instead.
IMAGE_FAINT = 1e-6
IMAGE_FAINT_OF_MAX = 1e-12

# A trace value against the golden trace: double rounding is 1e-16 and the longest chain (2 pi h N, h ~ 20, N ~ 50)
# amplifies it by some 1e4; three digits are left as margin.
TRACE_REL = 1e-9
# The scale of a value when it is not its own magnitude. "vector" is the length of the vector that it belongs
# to, because a component can be zero by symmetry; "cells" is Na*Nb*Nc, the height of the lattice factor's peaks.
TRACE_SCALE = {
    "F_latt": "cells",
    "F_latt_a": "cells",
    "F_latt_b": "cells",
    "F_latt_c": "cells",
}
# Counts and rounded indices have no tolerance.
TRACE_EXACT = frozenset({"hkl_rounded", "steps", "N_cells"})
# a.a*=1, a.b*=0 ... of one slice's vectors: the product of two vectors of three rounded components each.
DUALITY = 1e-12
