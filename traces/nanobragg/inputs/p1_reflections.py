"""Write a deterministic full P1 reflection list.

`python p1_reflections.py --matrix A.mat --wavelength 0.9768 --dmin 1.08`

Amplitudes look like a measurement (Wilson-distributed, falling off with resolution) but come from a fixed integer hash
of the indices, so that every machine writes the same file. Friedel mates are equal, as without anomalous scattering.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

Index = tuple[int, int, int]
Matrix = list[list[float]]

MEAN_AMPLITUDE = 140.0
B_FACTOR_A2 = 6.0
_MASK = (1 << 64) - 1


def read_matrix(path: Path, wavelength_A: float) -> Matrix:
    """Rows a*_i b*_i c*_i in 1/Å of a MOSFLM matrix file, whose nine numbers carry the wavelength as a factor."""
    numbers = [float(word) for word in path.read_text(encoding="utf-8").split()]
    if len(numbers) != 9:
        raise ValueError(f"{path}: {len(numbers)} numbers, expected 9")
    scaled = [number / wavelength_A for number in numbers]
    return [scaled[0:3], scaled[3:6], scaled[6:9]]


def reciprocal_length(matrix: Matrix, index: Index) -> float:
    """|h a* + k b* + l c*| in 1/Å, i.e. 1/d."""
    return math.hypot(*(sum(m * i for m, i in zip(row, index, strict=True)) for row in matrix))


def uniform(index: Index) -> float:
    """A number in (0, 1) that depends on nothing but the index of the Friedel pair (splitmix64 of the packed index)."""
    h, k, l = max(index, (-index[0], -index[1], -index[2]))
    state = ((h + 512) << 40 | (k + 512) << 20 | (l + 512)) & _MASK
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _MASK
    return (((state ^ state >> 31) >> 11) + 0.5) / (1 << 53)


def amplitude(index: Index, inverse_d: float) -> float:
    """An acentric Wilson amplitude with an isotropic fall-off, in electrons."""
    return MEAN_AMPLITUDE * math.sqrt(-math.log(uniform(index))) * math.exp(-B_FACTOR_A2 * inverse_d**2 / 4.0)


def reflections(matrix: Matrix, dmin_A: float, given: dict[Index, float]) -> Iterator[tuple[Index, float]]:
    """Every index with d >= dmin but (0,0,0), with its amplitude; `given` ones and their mates keep theirs."""
    limits = [math.floor(length / dmin_A) for length in real_lengths(matrix)]
    spans = [range(-limit, limit + 1) for limit in limits]
    for h in spans[0]:
        for k in spans[1]:
            for l in spans[2]:
                index = (h, k, l)
                inverse_d = reciprocal_length(matrix, index)
                if index != (0, 0, 0) and inverse_d <= 1.0 / dmin_A:
                    mate = given.get((-h, -k, -l), amplitude(index, inverse_d))
                    yield index, given.get(index, mate)


def real_lengths(matrix: Matrix) -> list[float]:
    """|a|, |b|, |c| in Å: no index of a reflection with spacing d exceeds its axis over d."""
    a, b, c = ([row[i] for row in matrix] for i in range(3))
    volume = sum(x * y for x, y in zip(a, _cross(b, c), strict=True))
    return [math.hypot(*_cross(u, v)) / abs(volume) for u, v in ((b, c), (c, a), (a, b))]


def _cross(u: Sequence[float], v: Sequence[float]) -> list[float]:
    return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the list on standard output, `h k l F` with two decimals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--matrix", type=Path, required=True, help="MOSFLM matrix file")
    parser.add_argument("--dmin", type=float, required=True, help="smallest spacing, Å")
    parser.add_argument("--wavelength", type=float, required=True, help="wavelength that the matrix is for, Å")
    parser.add_argument(
        "--set", nargs=4, action="append", default=[], metavar=("H", "K", "L", "F"), help="give this one its amplitude"
    )
    options = parser.parse_args(argv)
    given = {(int(h), int(k), int(l)): float(f) for h, k, l, f in options.set}
    try:
        matrix = read_matrix(options.matrix, options.wavelength)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for (h, k, l), f in reflections(matrix, options.dmin, given):
        sys.stdout.write(f"{h:4d}{k:4d}{l:4d} {f:8.2f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
