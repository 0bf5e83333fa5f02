"""Hints for values that are wrong together, and for values of another iteration: what is chance is not offered."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from trace_parity.blame.findings import Blame

from tests.harness.test_blame_causes import of_iteration_before
from tests.harness.test_blame_culprits import as_py, printed
from tests.harness.test_blame_faults import Fault, blame, dual, introduced, rodrigues, unit
from tests.harness.test_blame_fitted_hints import Small
from tests.harness.test_blame_settings import log

CELL = [f"{n}_angstroms" for n in "abc"]
STARS = [f"{n}_star_A_inv" for n in "abc"]
STAR_ROWS = np.array([[0.021, 0.003, -0.002], [0.001, 0.017, 0.004], [-0.003, 0.002, 0.014]])


def hints_of(found: Blame, names: list[str]) -> set[str]:
    return {f.hint for f in found.findings if f.variable in names and f.is_cause}


def always(value: np.ndarray) -> Fault:
    return lambda v, x: value


class OfCell(Small):
    """The cell is made by `change` of what it should be."""

    @staticmethod
    def change(rows: np.ndarray) -> np.ndarray:
        return rows

    def _run(self) -> dict[str, Any]:
        made = self.change(np.array(dual(*STAR_ROWS)))
        self.faults = {**self.faults, **{name: always(made[n]) for n, name in enumerate(CELL)}}
        return super()._run()


def test_the_rows_of_a_matrix_that_is_transposed() -> None:
    found = blame(log(OfCell, "C"), log(OfCell, "PY", change=staticmethod(lambda rows: rows.T)))
    assert introduced(found) == {("PY", name) for name in CELL}
    assert hints_of(found, CELL) == {"the matrix with the rows a_angstroms, b_angstroms, c_angstroms is transposed"}


def turned(rows: np.ndarray) -> np.ndarray:
    axis = unit(np.array([1.0, 2.0, -1.0]))
    return np.array([rodrigues(row, axis, 3.0) for row in rows])


def test_three_vectors_that_one_rotation_turns() -> None:
    found = blame(log(OfCell, "C"), log(OfCell, "PY", change=staticmethod(turned)))
    assert hints_of(found, CELL) == {"a_angstroms, b_angstroms, c_angstroms are turned by one rotation of 3°"}


def test_three_vectors_of_a_setting_that_one_rotation_turns() -> None:
    """No equation makes the reciprocal cell of another orientation: both logs obey all that there are."""
    stars = turned(STAR_ROWS)
    faults = {name: always(stars[n]) for n, name in enumerate(STARS)}

    cell = {name: always(dual(*stars)[n]) for n, name in enumerate(CELL)}
    found = blame(log(Small, "C"), log(Small, "PY", {**faults, **cell}))
    assert not introduced(found)
    assert hints_of(found, STARS) == {"a_star_A_inv, b_star_A_inv, c_star_A_inv are turned by one rotation of 3°"}


def test_a_mosaic_rotation_of_another_seed() -> None:
    def other(v: Any, x: dict[str, Any]) -> Any:
        return v if x["keys"]["mos_tic"] == 0 else turned(np.reshape(v, (3, 3))).ravel()

    found = blame(log(Small, "C", domains=2), log(Small, "PY", {"mosaic_umat": other}, domains=2))
    assert hints_of(found, ["mosaic_umat"]) == {"a matrix turned by 3° from one side to the other"}


def test_longer_steps_along_a_loop_are_not_a_shift_by_one_iteration() -> None:
    c, py = (log(Small, side, phi=(3.0, step, 4)) for side, step in (("C", 0.25), ("PY", 0.5)))
    assert hints_of(blame(c, py), ["phi_deg"]) == {"PY's step from one phi_tic to the next is 2 times C's"}


def test_steps_of_radians_along_a_loop() -> None:
    c, py = (log(Small, side, phi=(3.0, step, 4)) for side, step in (("C", 0.25), ("PY", np.radians(0.25))))
    hint = "PY's step from one phi_tic to the next is 0.0174533 times C's: degrees for radians or radians for degrees"
    assert hints_of(blame(c, py), ["phi_deg"]) == {hint}


def test_a_value_that_most_iterations_have_is_no_sign_of_a_shift() -> None:
    def few(v: Any, x: dict[str, Any]) -> Any:
        return {0: 60.0, 1: 60.0, 2: 60.0, 3: 70.0, 4: 60.0}[x["keys"]["phi_tic"]]

    def fewer(v: Any, x: dict[str, Any]) -> Any:
        return {0: 60.0, 1: 60.0, 2: 70.0, 3: 60.0, 4: 70.0}[x["keys"]["phi_tic"]]

    phi = (0.0, 0.5, 5)
    found = blame(log(Small, "C", {"F_cell": few}, phi=phi), log(Small, "PY", {"F_cell": fewer}, phi=phi))
    assert not any("tick" in hint for hint in hints_of(found, ["F_cell"]))


def test_all_of_three_vectors_of_the_iteration_before() -> None:
    rot = [f"rot_{n}_angstroms" for n in "abc"]
    faults = {name: of_iteration_before("phi_tic") for name in rot}
    c, py = (log(Small, side, f, phi=(3.0, 0.5, 4)) for side, f in (("C", {}), ("PY", faults)))
    found = blame(c, py)
    assert hints_of(found, rot) == {"the value of the previous phi_tic: off by one tick"}


def replaced(row: np.ndarray, _: np.ndarray) -> np.ndarray:
    return row


def test_what_is_only_printed_keeps_its_words_in_front() -> None:
    c = log(Small, "C")
    text = as_py(c)
    for row, name in zip(np.array(dual(*STAR_ROWS)).T, CELL, strict=True):
        text = printed(text, name, partial(replaced, row))
    hints = hints_of(blame(c, text), CELL)
    matrix = "the matrix with the rows a_angstroms, b_angstroms, c_angstroms is transposed"
    assert hints == {f"wrong in print only: {matrix}"}
