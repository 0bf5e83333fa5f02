"""Vector algebra of the diffraction model in extended precision, on arrays of shape (places, components)."""

from __future__ import annotations

import numpy as np
from trace_parity.blame.log_values import Array
from trace_parity.blame.slips import MIXED_UP

PI = np.longdouble("3.14159265358979323846264338327950288")
ANGLES_MIXED_UP = (
    (180 / PI, f"times 57.2958: {MIXED_UP}"),
    (PI / 180, f"times 1/57.2958: {MIXED_UP}"),
)
"""What an angle in the wrong unit is off by, in words."""


def dot(a: Array, b: Array) -> Array:
    """a·b, one column."""
    product: Array = np.sum(a * b, axis=1, keepdims=True)
    return product


def norm(a: Array) -> Array:
    """|a|, one column."""
    return np.sqrt(dot(a, a))


def unit(a: Array) -> Array:
    """a/|a|, and the zero vector for zero."""
    length = norm(a)
    return a / np.where(length == 0, 1, length)


def cross(a: Array, b: Array) -> Array:
    """a × b; np.cross, which turns axes that are never others here, takes five times as long."""
    (ax, ay, az), (bx, by, bz) = ((v[..., 0], v[..., 1], v[..., 2]) for v in (a, b))
    product: Array = np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-1)
    return product


def triple(a: Array, b: Array, c: Array) -> Array:
    """a·(b×c), one column."""
    return dot(a, cross(b, c))


def turn(v: Array, axis: Array, degrees: Array) -> Array:
    """Rodrigues' rotation of v about `axis`, taken as given; 1-cos as 2·sin²(φ/2), so that small angles keep digits."""
    angle = degrees * PI / 180
    half = np.sin(angle / 2)
    turned: Array = axis * dot(axis, v) * (2 * half * half) + v * np.cos(angle) + cross(axis, v) * np.sin(angle)
    return turned


def apply(matrix: Array, v: Array) -> Array:
    """U v with U row by row in nine columns."""
    turned: Array = np.einsum("nij,nj->ni", matrix.reshape(-1, 3, 3), v)
    return turned


def sincg(x: Array, cells: Array, below: Array) -> Array:
    """sin(πNx)/sin(πx), and N where the denominator vanishes; x a fractional index, `below` the same below the line.

    Both arguments are brought near zero first (x and Nx modulo 2), which keeps the digits that π·x would lose.
    """
    top, bottom = np.sin(PI * _centred(cells * x)), np.sin(PI * _centred(below))
    return np.where(bottom == 0, cells, top / np.where(bottom == 0, 1, bottom))


def _centred(x: Array) -> Array:
    return x - 2 * np.round(x / 2)


def nearest(x: Array) -> Array:
    """ceil(x - 0.5): the model's rounding, which is not round-half-to-even."""
    return np.ceil(x - np.longdouble(0.5)) + 0


def nearest_rotation(matrix: Array) -> Array:
    """The orthonormal matrix next to each row of nine (a Newton step of the polar decomposition, twice)."""
    u = matrix.reshape(-1, 3, 3)
    for _ in range(2):
        u = 0.5 * (3 * u - np.einsum("nij,nkj,nkl->nil", u, u, u))
    return u.reshape(-1, 9)


def axis_and_angle(matrix: Array) -> tuple[Array, float]:
    """Axis and angle (degrees) of one 3×3 rotation matrix; a zero axis for no rotation."""
    skew = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    length = np.sqrt(np.sum(skew * skew))
    angle = np.arctan2(length, np.trace(matrix) - 1)
    axis: Array = skew / length if length > 0 else skew * 0
    return axis, float(angle * 180 / PI)
