"""Equations over the φ ticks of one pixel, for logs that lack the cell at φ=0: what turns about one axis, turns evenly.

In each set of ticks the largest group that agrees is found; the ticks outside that majority are the broken ones. A set
without a majority says nothing.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from trace_parity.blame.equation import Equation, Evaluated, Outcome, without
from trace_parity.blame.log_values import Array, LogView
from trace_parity.pair.vocabulary import Key

from .vector_math import PI, axis_and_angle, turn

TRIES = 60
"""Starting sets tried per set of ticks, those that span most first; one good one among them is enough."""
INDEX_REACH = 32
"""Size of the products whose sum a fractional index is. A log with k alone does not show it; the largest index of
an ordinary pixel is of this size."""
VECTORS = ("step.rot_a_angstroms", "step.rot_b_angstroms", "step.rot_c_angstroms")


def _sets(view: LogView, variable: str) -> dict[Key, list[Key]]:
    """Keys that differ in phi_tic only, by what they share."""
    place = view.vocabulary.loops.index("phi_tic")
    sets: dict[Key, list[Key]] = {}
    for key in view.keys(variable):
        if key[place] >= 0:
            sets.setdefault(without(key, place), []).append(key)
    return sets


def _phi(view: LogView, key: Key) -> np.longdouble | None:
    place = view.find("phi_deg", key)
    value = view.at(*place) if place is not None else None
    return None if value is None else value[0]


def _too_few(view: LogView, keys: list[Key], needed: int, lacking: str) -> dict[Key, tuple[str, ...]]:
    return {key: (lacking if _phi(view, key) is not None else "phi_deg",) for key in keys} if needed else {}


def evenly_spaced(view: LogView, equation: Equation) -> Evaluated:
    """phi0 + step·tick, both from the middle of what three ticks or more show."""
    found = Evaluated()
    place = view.vocabulary.loops.index("phi_tic")
    for keys in _sets(view, equation.output).values():
        number = np.array([key[place] for key in keys], dtype=np.longdouble)
        phi = np.array([_phi(view, key) for key in keys], dtype=np.longdouble)
        ticks, first = np.unique(number, return_index=True)
        if len(ticks) < 3:
            found.missing |= dict.fromkeys(keys, ("phi_deg at three ticks",))
            continue
        step = np.median(np.diff(phi[first]) / np.diff(ticks))
        expected = np.median(phi - step * number) + step * number
        allowed = 2 * np.max(view.uncertainty(equation.output, phi[:, None]), keepdims=True)[0]
        for key, got, want in zip(keys, phi, expected, strict=True):
            names = frozenset({"evenly spaced"}) if abs(got - want) <= allowed[0] else frozenset()
            found.outcomes[key] = Outcome(key, got[None], want[None], allowed, names)
    _left_out(view, equation, found)
    return found


def on_a_circle(view: LogView, equation: Equation) -> Evaluated:
    """Each component that turns with φ is c0 + c1·cos φ + c2·sin φ: three ticks say what every other one must be."""
    found = Evaluated()
    for keys in _sets(view, equation.output).values():
        usable = [key for key in keys if _phi(view, key) is not None]
        phi = np.array([_phi(view, key) for key in usable], dtype=np.longdouble)
        if len(set(phi.tolist())) < 5:
            found.missing |= _too_few(view, keys, 5, "hkl_frac at five ticks of phi")
            continue
        rows = [row for key in usable if (row := view.at(equation.output, key)) is not None]
        _fit(view, equation, found, usable, phi, np.array(rows, dtype=np.longdouble))
    _left_out(view, equation, found)
    return found


def _left_out(view: LogView, equation: Equation, found: Evaluated) -> None:
    for key in view.keys(equation.output):
        if key not in found.outcomes:
            found.missing.setdefault(key, ("phi_tic (loop index)",))


def _fit(view: LogView, equation: Equation, found: Evaluated, keys: list[Key], phi: Array, got: Array) -> None:
    basis = np.stack([np.ones_like(phi), np.cos(phi * PI / 180), np.sin(phi * PI / 180)], axis=1)
    spread = view.uncertainty(equation.output, got) + view.uncertainty("", np.full((1, 1), np.longdouble(INDEX_REACH)))
    best: tuple[int, Array, Array, np.ndarray] | None = None
    n = len(keys)
    spans = sorted(combinations(range(n), 3), key=lambda t: -min(t[1] - t[0], t[2] - t[1]))
    for triple in spans[:TRIES]:
        weights = _weights(basis, triple)
        if weights is None:
            continue
        expected = weights @ got[list(triple)]
        allowed = np.abs(weights) @ spread[list(triple)] + spread
        fine = ((np.abs(got - expected) <= allowed) | np.isnan(got)).all(axis=1)
        if best is None or fine.sum() > best[0]:
            best = int(fine.sum()), expected, allowed, fine
    if best is None or best[0] <= max(3, n // 2):
        found.missing |= dict.fromkeys(keys, ("hkl_frac at ticks of which most agree",))
        return
    _, expected, allowed, fine = best
    for i, key in enumerate(keys):
        names = frozenset({"on the circle"}) if fine[i] else frozenset()
        found.outcomes[key] = Outcome(key, got[i], expected[i], allowed[i], names)


def _weights(basis: Array, triple: tuple[int, ...]) -> Array | None:
    """What each of three ticks contributes to every tick, by Cramer's rule (linalg knows no extended precision)."""
    m = basis[list(triple)]
    det = _det(m)
    if det == 0:
        return None
    columns = []
    for i in range(3):
        parts = np.stack([np.concatenate([m[:i], row[None], m[i + 1 :]]) for row in basis])
        columns.append([_det(part) / det for part in parts])
    return np.array(columns, dtype=np.longdouble).T


def _det(m: Array) -> np.longdouble:
    value: np.longdouble = np.dot(m[0], np.cross(m[1], m[2]))
    return value


def turned_together(view: LogView, equation: Equation, which: int) -> Evaluated:
    """All three vectors of every tick against those of another, turned about the one axis that most ticks share."""
    found = Evaluated()
    for keys in _sets(view, VECTORS[0]).values():
        for key, (got, expected, allowed, fine) in _turned(view, keys).items():
            names = frozenset({"turned"}) if fine[which] else frozenset()
            found.outcomes[key] = Outcome(key, got[which], expected[which], allowed[which], names)
        if keys[0] not in found.outcomes:
            found.missing |= _too_few(view, keys, 3, f"{equation.output.partition('.')[2]} at three ticks of phi")
    _left_out(view, equation, found)
    return found


Turned = dict[Key, tuple[Array, Array, Array, np.ndarray]]


def _turned(view: LogView, keys: list[Key]) -> Turned:
    cache: dict[tuple[Key, ...], Turned] = view.memo.setdefault("turned", {})
    if tuple(keys) not in cache:
        cache[tuple(keys)] = _turn_all(view, keys)
    return cache[tuple(keys)]


def _turn_all(view: LogView, keys: list[Key]) -> Turned:
    usable = [k for k in keys if _phi(view, k) is not None and all(view.at(v, k) is not None for v in VECTORS)]
    usable = [k for k in usable if not any(view.holes(v, k) for v in VECTORS)]
    phi = np.array([_phi(view, key) for key in usable], dtype=np.longdouble)
    if len(set(phi.tolist())) < 3:
        return {}
    cells = np.array([[view.at(v, key) for v in VECTORS] for key in usable], dtype=np.longdouble)
    spread = view.uncertainty(VECTORS[0], cells)
    best: tuple[int, Array, Array, np.ndarray] | None = None
    pairs = sorted(combinations(range(len(usable)), 2), key=lambda p: -abs(phi[p[1]] - phi[p[0]]))
    for i, j in pairs[:TRIES]:
        between = cells[j].T @ _inverse(cells[i].T)
        axis, degrees = axis_and_angle(between)
        difference = phi[j] - phi[i]
        if difference == 0 or abs(degrees - abs(float(difference))) > 1e-6 * abs(float(difference)):
            continue
        axis = axis * np.sign(difference)
        expected = np.stack([turn(cells[i], axis[None], np.full((3, 1), p - phi[i])) for p in phi])
        reach = 1 + np.abs(phi - phi[i]) / abs(difference)
        allowed = spread * 2 * reach[:, None, None]
        fine = (np.abs(cells - expected) <= allowed).all(axis=2)
        if best is None or fine.all(axis=1).sum() > best[0]:
            best = int(fine.all(axis=1).sum()), expected, allowed, fine
    if best is None or best[0] < 3 or 2 * best[0] <= len(usable):
        return {}
    _, expected, allowed, fine = best
    return {key: (cells[n], expected[n], allowed[n], fine[n]) for n, key in enumerate(usable)}


def _inverse(m: Array) -> Array:
    """Inverse of a 3×3 matrix with columns a, b, c: rows a*, b*, c*."""
    a, b, c = m.T
    rows = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)])
    inverse: Array = rows / np.dot(a, rows[0])
    return inverse
