"""The parts that pages are put together from: source lines, pictures, the graph, plots."""

from __future__ import annotations

import os
import re
import struct
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from trace_parity.blame.attribution import Blame
from trace_parity.pair.dependency import in_words
from trace_parity.pair.find import find_pair, shipped
from trace_parity.pair.pair import Pair
from trace_parity.pair.source_lines import SourceLine, find_source_lines, program_folder, with_context
from trace_parity.render.graph import STATES, graph_svg, nodes_of
from trace_parity.render.html_form import coded, render, sort_key
from trace_parity.render.pictures import PATCH, bundle_files, covered, patch_corners, pictures, place_of, png
from trace_parity.render.places import Places
from trace_parity.render.svg import Plot, plot_svg
from trace_parity.render.ticks import MOST_TICKS, loop_matters, tick_loop, tick_series
from trace_parity.run.explain import explanation
from trace_parity.run.source_lines import source_lines

from tests.golden import ROOT
from tests.harness.snapshots.results import blame, images, result, variable, with_quirk


@cache
def of_the_shipped_pair() -> dict[str, dict[str, SourceLine]]:
    """Found once: it reads all sources of both programs."""
    return lines_of(shipped())


def lines_of(pair: Pair) -> dict[str, dict[str, SourceLine]]:
    """As reports get them: `lines` of the pair's programs count."""
    return source_lines(pair, [variable(v.name, v.scope.name) for v in pair.vocabulary.variables])


def test_every_variable_is_found_in_the_shipped_sources() -> None:
    names = [(v.scope.name, v.name) for v in shipped().vocabulary.variables]
    found = of_the_shipped_pair()
    for scope, name in names:
        line = found[f"{scope}.{name}"]["C"]
        text = (ROOT / line.path).read_text().splitlines()[line.line - 1]
        assert line.text.startswith(text.strip()[:100])
    in_port = [f"{scope}.{name}" for scope, name in names if "PY" in found[f"{scope}.{name}"]]
    assert len(in_port) > 0.9 * len(names)
    assert found["step.rot_b_star_A_inv"]["PY"].path.startswith("nanobragg_torch/")
    assert not [
        v for v, by_side in found.items() for line in by_side.values() if re.search(r"^(PROBE|keep\()", line.text)
    ]


COMPUTED = [
    ("step.hkl_frac", "C", "Vec3 hkl = vec3(dot(cell_m->a, scattering)"),
    ("step.F_cell", "C", "double F_cell = structure_factor("),
    ("step.V_actual_A3", "C", "Cell star = reciprocal(&cell_A, &V);"),
    ("subsample.omega_pixel_sr", "C", "px->omega = solid_angle("),
    ("run.distance_meters", "C", "d->distance_m = "),
    ("source.incident_vec", "C", "beam->sources[beam->count++] = (Source){scaled(-1.0, unit(position))"),
    ("run.b_star_A_inv", "C", "x->star_A_inv = "),
    ("step.rot_c_angstroms", "C", "*cell = (Cell){rotate_umat("),
    ("step.phi_deg", "C", "return m->phi0_rad + m->osc.step * phi_tic"),
    ("step.phi_deg", "PY", "phi_rad = "),
    ("run.N_cells", "C", "*N = "),
    ("run.N_cells", "PY", "counts = ["),
    ("mosaic.mosaic_umat", "C", "x->mosaic_umats[i] = random_umat("),
    ("mosaic.mosaic_umat", "PY", "umats = umat_from_axis("),
    ("run.sdet_vec", "C", "d->sdet_vector = tilt("),
    ("subsample.sdet_vec", "PY", "pix0, *turned = tilt("),
    ("run.Fclose_meters", "C", "d->Fclose_m = -dot("),
    ("source.polar", "PY", "polar = _polar("),
    ("pixel.fluence_photons_per_m2", "PY", "return units.tensor(b.flux_per_s"),
    ("pixel.steps", "PY", "steps="),
    ("pixel.I_before_scaling", "C", "px->I += F_cell"),
    ("step.hkl_rounded", "C", "Vec3 hkl0 = vec3(ceil("),
    ("pixel.r_e_sqr", "C", "#define R_E_SQR 7.94"),
    ("pixel.capture_fraction_final", "C", "px->capture_fraction = m->detector.thick_m"),
    ("step.rot_a_angstroms", "PY", "real, _ = dual(turned)"),
    ("step.rot_b_star_A_inv", "PY", "reciprocal, volume = dual(real"),
    ("step.F_latt_b", "PY", "F_latt, F_axes = lattice.lattice_factor("),
    ("step.I_running", "PY", "running = accumulate."),
    ("source.lambda_meters", "PY", "return Sources("),
    ("pixel.steps", "C", "m->steps = "),
    ("subsample.pixel_pos_meters", "PY", "position = detector.pixel_position("),
    ("subsample.omega_pixel_sr", "PY", "omega = detector.solid_angle("),
    ("source.scattering_vec_m_inv", "PY", "q = scattering.scattering_vector("),
    ("pixel.I_pixel_final", "C", "px.I_pixel = R_E_SQR * m->beam.fluence * px.I / m->steps;"),
    ("pixel.I_pixel_final", "PY", "value = accumulate.pixel_value("),
    ("pixel.floatimage_accumulated", "C", "px.I_pixel *= px.omega;"),
    ("pixel.floatimage_accumulated", "PY", "value = accumulate.pixel_value("),
]


@pytest.mark.parametrize(("variable", "side", "text"), COMPUTED, ids=[f"{v} {s}" for v, s, _ in COMPUTED])
def test_the_line_that_computes_a_value_is_shown_and_not_its_probe(variable: str, side: str, text: str) -> None:
    assert of_the_shipped_pair()[variable][side].text.startswith(text)


IN_EXAMPLES = [
    ("lennard_jones", "drift.v_half", "v_half[i][k] = v[i][k]", "v_half = v + 0.5"),
    ("lennard_jones", "pair.dr", "dr[k] -= box", "dr = dr - box"),
    ("lennard_jones", "atom.force", "for (int k = 0; k < 3; k++) force[i][k] +=", "force = (f_over_r"),
    ("lennard_jones", "kick.v", "for (int k = 0; k < 3 && step; k++) v[i][k] =", "v = v_half"),
    ("shallow_water", "flow.slope_y", "double slope_x = h[i][j]", "slope_x, slope_y = h - h.roll"),
    ("shallow_water", "flow.u", "u_new[i][j] = u[i][j]", "u, v = (u - o.dt"),
    ("shallow_water", "surface.h", "h[i][j] -= dt * depth", "h = h - o.dt"),
    ("lennard_jones", "summary.e_pot", "if (!rebuild || fixed) e_pot = sum", "force, e_pot = forces("),
    ("lennard_jones", "summary.e_kin", "double e_kin = kinetic(n)", "e_kin = 0.5"),
    ("lennard_jones", "run.dt", "double dt = 0.005", "parser.add_argument(flag, type=float"),
    ("shallow_water", "run.n", "int n = 8", "parser.add_argument(flag, type=int"),
    ("shallow_water", "summary.volume", "for (int j = 0; j < n; j++) volume +=", "lines.append("),
]


@pytest.mark.parametrize(("pair", "variable", "c", "py"), IN_EXAMPLES, ids=[v for _, v, _, _ in IN_EXAMPLES])
def test_the_lines_of_the_example_pairs(pair: str, variable: str, c: str, py: str) -> None:
    found = lines_of(find_pair(str(ROOT / "examples" / "pairs" / pair)))[variable]
    assert found["C"].text.startswith(c)
    assert found["PY"].text.startswith(py)


PRINTS = re.compile(r"\b(PROBE\w*|probe|use|trace\.put|scalar|line|lines\.append|say)\(|TRACE_")
COMPUTES = re.compile(r"[\w\])]\s*[-+*/]?=(?!=)|\breturn\b|#define|add_argument\(")
COMPUTED_IN_THE_CALL = {
    "nanoBragg PY": "spindle_vec twotheta_axis distance_meters close_distance_meters Fbeam_meters Sbeam_meters "
    "Fclose_meters Sclose_meters hkl_frac hkl_rounded r_e_sqr",
    "Lennard-Jones C": "e_total",
    "Lennard-Jones PY": "rebuild e_total",
    "shallow water PY": "volume",
}
"""Values that have no line of their own: the expression is an argument of the call that hands it to the trace."""


@pytest.mark.parametrize("name", ["", "lennard_jones", "shallow_water"])
@pytest.mark.parametrize("side", ["C", "PY"])
def test_each_variable_has_a_line_that_computes_it(name: str, side: str) -> None:
    pair = find_pair(str(ROOT / "examples" / "pairs" / name)) if name else shipped()
    found = lines_of(pair)
    in_call = COMPUTED_IN_THE_CALL.get(f"{pair.title} {side}", "").split()
    wrong = []
    for v in pair.vocabulary.variables:
        text = found[v.id][side].text
        is_printed = PRINTS.search(text) is not None
        if v.name in in_call:
            argument = re.search(r"[\"}]\s*,.*([-+*/(]|\bint\b).*\)|\{h\.sum", text)
            is_printed = argument is None or (pair.title == "nanoBragg" and not COMPUTES.search(text))
        elif not COMPUTES.search(text):
            is_printed = True
        if is_printed:
            wrong.append(f"{v.id}: {text}")
    assert wrong == []


@pytest.mark.parametrize("name", ["", "lennard_jones", "shallow_water"])
def test_the_lines_that_a_pair_names_are_in_its_sources(name: str) -> None:
    pair = find_pair(str(ROOT / "examples" / "pairs" / name)) if name else shipped()
    found = lines_of(pair)
    for side, program in pair.programs.sides.items():
        for key, text in program.lines.items():
            variable_name, _, when = key.partition(" if ")
            lines = [line[side] for v, line in found.items() if v.rpartition(".")[2] == variable_name]
            assert lines, variable_name
            for line in lines:
                assert any(text in one.text and one.when == when for one in (line, *line.others)), (side, key)


@pytest.mark.parametrize(
    ("pivot", "c", "py"),
    [
        ("beam", "d->pix0_vector_m = origin(", "pix0 = -Fbeam * fdet - Sbeam * sdet + "),
        ("sample", "d->pix0_vector_m = tilt(", "pix0, *turned = tilt("),
    ],
)
def test_a_line_that_depends_on_a_setting_is_chosen_by_it(pivot: str, c: str, py: str) -> None:
    for scope in ("run", "subsample"):
        for side, text in (("C", c), ("PY", py)):
            line = of_the_shipped_pair()[f"{scope}.pix0_vector_meters"][side]
            chosen = line.chosen({"pivot": pivot})
            assert chosen.text.startswith(text)
            assert (chosen.when, chosen.others) == ("", ())
            assert line.chosen({}) == line
            assert {one.when for one in (line, *line.others)} == {"pivot=beam", "pivot=sample"}


def test_explain_finds_the_lines_that_all_variables_together_have() -> None:
    """One variable alone says too little of which lines print others."""
    together = of_the_shipped_pair()
    for v in shipped().vocabulary.variables:
        lines = explanation(shipped(), v.id)
        for side, line in together[v.id].items():
            assert f"  in {side:<9}{line}" in lines, v.id


def test_explain_gives_all_lines_of_a_value_with_their_settings() -> None:
    said = "\n".join(explanation(shipped(), "run.pix0_vector_meters"))
    for words in ("d->distance_m, d->beam_vector);  (pivot=beam)", "or in C", "(pivot=sample)", "or in PY"):
        assert words in said


def test_a_line_that_a_pair_names_and_that_is_gone_is_searched_as_before(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "a.c").write_text('double x = 2 * y;\nprintf("TRACE_C: x %.17g\\n", x);\n')
    folders, names = {"C": tmp_path / "c"}, [("run", "x")]
    told = {"C": {"x": "double x = 3"}}
    assert find_source_lines(folders, names, told)["run.x"]["C"].line == 1
    assert find_source_lines(folders, names, {"C": {"run.x": "printf"}})["run.x"]["C"].line == 2


def test_a_package_that_is_not_there_has_no_lines() -> None:
    assert find_source_lines({"C": Path("no_such_folder")}, [("run", "beam_vec")]) == {}


def test_the_folder_of_a_program() -> None:
    assert program_folder(Path("reference_c"), ("x",)) == Path("reference_c")
    assert (
        program_folder(None, ("{python}", "-m", "nanobragg_torch", "{args}")) == ROOT / "simulator" / "nanobragg_torch"
    )
    assert program_folder(None, ("a_binary", "{args}")) is None


def decoded(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and rows (each led by its filter byte) of a PNG."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, body = 8, b""
    width = height = 0
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, chunk = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height = struct.unpack(">II", chunk[:8])
        if kind == b"IDAT":
            body += chunk
        at += 12 + length
    return width, height, zlib.decompress(body)


def test_png() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert decoded(png(grey)) == (3, 2, b"\0\0\1\2\0\3\4\5")
    colour = np.zeros((1, 2, 3), dtype=np.uint8)
    assert decoded(png(colour)) == (2, 1, b"\0" * 7)


def test_pictures_keep_single_pixels_and_signs() -> None:
    c = np.zeros((1300, 1500))
    c[700, 800] = 5.0
    py = c.copy()
    py[700, 800] = 4.0
    py[10, 20] = 0.5
    files = pictures(c, py, [(690, 790)])
    width, height, rows = decoded(files["c.png"])
    assert (width, height) == (500, 434)
    assert rows.count(0) == 434 + 1  # a filter byte per row, and the one black spot
    width, height, rows = decoded(files["difference@690,790.png"])
    assert (width, height) == (PATCH, PATCH)
    spot = rows[10 * (PATCH * 3 + 1) + 1 + 10 * 3 :][:3]
    assert spot[2] > spot[0]  # PY is below C: blue
    assert rows.count(255) == (PATCH * PATCH - 1) * 3
    assert covered((1300, 1500)) == (1302, 1500)


def test_equal_and_dark_images_are_white() -> None:
    zero = np.zeros((4, 4))
    for name, data in pictures(zero, zero, []).items():
        assert set(decoded(data)[2]) == {0, 255}, name


def test_patches_stay_inside_the_image() -> None:
    finding = with_quirk()
    large = replace(finding, images=images(shape=(300, 200), max_abs_at=(299, 0)))
    corners = patch_corners(large)
    assert corners == [(0, 0), (204, 0)]
    assert place_of("py@204,0.png") == ("py", (204, 0))
    assert patch_corners(replace(finding, images=None)) == []


def test_a_bundle_without_images_gives_its_commands(tmp_path: Path) -> None:
    for name in ("commands.txt", "env.json", "notes.txt"):
        (tmp_path / name).write_text("x\n")
    assert bundle_files(tmp_path, result()) == {"commands.txt": b"x\n", "env.json": b"x\n"}


def test_the_graph_tells_introduced_from_inherited() -> None:
    variables = (
        variable("a", "run"),
        variable("b", divergent=1, depends_on=("a",)),
        variable("c", divergent=1, depends_on=("b",)),
        variable("d", c_only=1, compared=0),
        variable("e", compared=0),
    )
    finding = result(variables=variables)
    assert [n.state for n in nodes_of(finding)] == ["match", "origin", "downstream", "missing", "none"]
    findings = (blame("introduced", "PY", "c"), blame("introduced", "C", "a", "run"), blame("inherited", "both", "b"))
    nodes = nodes_of(replace(finding, blame=Blame(findings, 3, 3, (), {})))
    assert [(n.state, n.side) for n in nodes][:3] == [("inconsistent", "C"), ("inherited", ""), ("introduced", "PY")]
    drawn = graph_svg(nodes)
    assert all(STATES[n.state][0] in drawn for n in nodes)
    assert drawn.count('class="edge') == 2
    assert drawn.count("edge bad") == 1


def test_boxes_of_the_graph_do_not_overlap() -> None:
    vocabulary = shipped().vocabulary
    nodes = nodes_of(
        result(variables=tuple(variable(v.name, v.scope.name, depends_on=v.depends_on) for v in vocabulary.variables))
    )
    graph_svg(nodes)
    boxes = [(n.x, n.y) for n in nodes]
    assert len(set(boxes)) == len(nodes)
    for i, (x, y) in enumerate(boxes):
        for u, v in boxes[i + 1 :]:
            assert abs(x - u) >= 180 or abs(y - v) >= 24
    for node in nodes:
        assert all(source.y < node.y for source in node.inputs if source.variable.scope == node.variable.scope)


def test_a_cycle_among_the_variables_is_drawn_all_the_same() -> None:
    nodes = nodes_of(result(variables=(variable("a", depends_on=("b",)), variable("b", depends_on=("a", "b")))))
    assert graph_svg(nodes).count('class="edge') == 2


@pytest.mark.parametrize(
    "values", [(None, None), (float("nan"), float("inf")), (1.0, 1.0), (0.0, -0.0), (1e300, -1e300)]
)
def test_plots_of_odd_values(values: tuple[float | None, float | None]) -> None:
    drawn = plot_svg(Plot("k", "phi", (0.0, 0.0), values, (None, 2.0), (None, None)))
    geometry = drawn.split("<title>")[0]
    assert "nan" not in geometry.replace("PY", "")
    assert drawn.count('class="strip"') == 2


def test_the_ends_of_an_axis_are_the_numbers_that_are_drawn_there() -> None:
    drawn = plot_svg(Plot("k", "phi", (0.0, 1.0, 2.0), (1.0, 2.0, 5.0), (1.0, 2.0, 4.0), (0.0, 0.0, -1.0)))
    labels = re.findall(r'y="([0-9.]+)" class="tick end">([^<]+)<', drawn)
    heights = {kind: re.findall(rf'class="{kind}" cx="[0-9.]+" cy="([0-9.]+)"', drawn) for kind in ("c", "d")}
    assert [text for _, text in labels[:4]] == ["1", "5", "-1", "0"]
    for (y, _), drawn_at in zip(
        labels, (heights["c"][0], heights["c"][2], heights["d"][2], heights["d"][0]), strict=False
    ):
        assert float(y) == pytest.approx(float(drawn_at) + 3.5, abs=0.11)
    flat = plot_svg(Plot("k", "phi", (0.0, 1.0), (7.0, 7.0), (7.0, 7.0), (0.0, 0.0)))
    assert re.findall(r'class="tick end">([^<]+)<', flat)[:2] == ["7", "0"]


def test_one_series_per_pixel() -> None:
    rows = [
        {"spixel": s, "fpixel": 0, "phi_tic": t, "phi_deg": t / 10, "k_c": 1.0, "k_py": 1.0, "k_diff": 0.0}
        for s in (1, 2)
        for t in range(3)
    ]
    assert [s.place for s in tick_series(rows, "phi_tic", ["spixel", "fpixel"])] == [
        "spixel=1 fpixel=0",
        "spixel=2 fpixel=0",
    ]
    assert [s.place for s in tick_series(rows, "phi_tic")] == ["spixel=1", "spixel=2"]
    assert tick_series(rows[:1], "phi_tic") == []
    assert tick_series([], "phi_tic") == []


def test_a_long_loop_is_thinned_and_keeps_its_worst_tick() -> None:
    rows = [
        {"step": t, "t": t / 10, "x_c": 1.0, "x_py": 1.0 + (t == 777), "x_diff": float(t == 777)} for t in range(5000)
    ]
    (found,) = tick_series(rows, "step")
    assert (found.ticks, found.place) == (5000, "every tick")
    (plot,) = found.plots
    assert found.shown == len(plot.x) <= MOST_TICKS
    assert 77.7 in plot.x
    assert (plot.x[0], plot.x[-1]) == (0.0, 499.9)


def test_which_loop_the_plots_follow() -> None:
    assert tick_loop(replace(result(), tick_loop="step")) == "step"
    assert tick_loop(result()) == "phi_tic"
    assert tick_loop(replace(result(), per_tick=())) == ""
    assert loop_matters(with_quirk())
    assert not loop_matters(result())  # nothing diverges
    once = replace(with_quirk(), per_tick=with_quirk().per_tick[:1])
    assert not loop_matters(once)


def test_places_name_the_loops_that_have_more_than_one_iteration() -> None:
    found = replace(with_quirk(), loops=("spixel", "fpixel", "phi_tic"))
    assert Places(found).short("spixel=0 fpixel=10 source=0 phi_tic=0 mos_tic=3") == "spixel=0 fpixel=10 phi_tic=0"
    assert (
        Places(found).sentence("first at x (spixel=2 source=0 phi_tic=0): known")
        == "first at x (spixel=2 phi_tic=0): known"
    )
    assert Places(found).sentence("agrees (mostly)") == "agrees (mostly)"
    assert Places(found).short("the whole run") == "the whole run"


def test_places_of_an_older_result_are_told_from_what_it_shows() -> None:
    assert Places(with_quirk()).loops == ("spixel", "fpixel", "phi_tic")  # phi_tic=0 is the worst, and has 3 ticks
    assert Places(replace(with_quirk(), per_tick=())).short("spixel=2 phi_tic=0") == "spixel=2 phi_tic=0"


def test_backticks_become_code_and_nothing_else_does() -> None:
    assert coded("use `-fix <x>` & go") == "use <code>-fix &lt;x&gt;</code> &amp; go"
    assert coded("one ` alone <b>") == "one ` alone &lt;b&gt;"


def test_small_words() -> None:
    assert [sort_key(x) for x in (None, 0.5, float("inf"), float("-inf"), float("nan"))] == [
        "", "0.5", "Infinity", "-Infinity", "Infinity",
    ]  # fmt: skip


def test_a_huge_result_makes_a_page_of_less_than_5_mb() -> None:
    """100,000 rows of everything that a page lists."""
    many = 100_000
    one = with_quirk()
    assert one.blame is not None
    finding = one.blame.findings[0]
    variables = (variable(f"v{i}", f"s{i % 50}", divergent=2, worst_rel=1.0, worst_abs=1.0) for i in range(many))
    ticks = ({"i": t % 10, "t": t // 10, "x_c": 1.0, "x_py": 2.0, "x_diff": 1.0} for t in range(many))
    huge = replace(
        one,
        num_divergent=many,
        variables=tuple(variables),
        divergences=one.divergences * (1000 // 3),
        blame=replace(one.blame, findings=(finding,) * many, missing=("x: lacks y",) * many),
        per_tick=tuple(ticks),
        tick_loop="t",
        problems=("something is missing",) * many,
        settings=("a setting: 1 in C, 2 in PY",) * many,
    )
    page = render(huge, {})
    assert len(page.encode()) < 5_000_000
    assert f"of {many} are listed" in page
    assert page.count("<circle") < 6 * 3 * MOST_TICKS + 100
    if os.environ.get("KEEP_PAGE"):  # to measure how fast a browser is with it
        Path(os.environ["KEEP_PAGE"]).write_text(page, encoding="utf-8")


def test_a_statement_of_several_lines_is_whole(tmp_path: Path) -> None:
    """In one line it is joined; an excerpt has its lines, and cuts none of its neighbours off."""
    source = tmp_path / "port" / "m.py"
    source.parent.mkdir()
    source.write_text(
        "def f(a):\n    table = [\n        1,\n        2,\n        3,\n        4,\n    ]\n"
        '    force = total(\n        a,  # the (first\n        table[0],\n    )\n    trace("run", "force", force)\n'
        "    return rest(\n        a,\n        force,\n        a,\n    )\n"
    )
    found = find_source_lines({"PY": source.parent}, [("run", "force")])["run.force"]
    assert str(found["PY"]) == "port/m.py:8: force = total(a, table[0])"
    (shown,) = with_context({"PY": source.parent}, found).values()
    assert shown.statement == ("    force = total(", "        a,  # the (first", "        table[0],", "    )")
    assert shown.before[0] == "    table = ["
    assert shown.after[1:] == ("    return rest(", "        a,", "        force,", "        a,", "    )")


def test_dependencies_in_words() -> None:
    texts = ["dt", "sum(f over j)", "sum(dr over j)", "v@step-1", "x@step-2"]
    assert in_words(texts) == "dt, f and dr of every j, v of the previous step, x of 2 iterations of step before"
    assert in_words(["not a dependency (at all)"]) == "not a dependency (at all)"
    assert in_words([]) == ""
