"""`trace-diff judge`: a stored comparison under another tolerance, without running anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_parity.cli.common import (
    blame_sites_option,
    emit,
    output_options,
    pair_option,
    parse_formats,
    rules_of,
    waive_option,
)

if TYPE_CHECKING:
    from trace_parity.pair.pair import Pair


@click.command(epilog="Exit codes as for `trace-diff run`.")
@click.argument("bundle", type=click.Path(path_type=Path))
@pair_option
@waive_option
@blame_sites_option
@output_options
def judge(
    pair: Pair,
    bundle: Path,
    waive: tuple[str, ...],
    blame_sites: int,
    rtol_words: tuple[str, ...],
    formats: tuple[str, ...],
    lenient: bool,
) -> None:
    """Judge the logs and images in BUNDLE again; the bundle is not changed."""
    from trace_parity.compare.align import align
    from trace_parity.compare.images import compare_images, read_image
    from trace_parity.compare.options import Options
    from trace_parity.pair.case import parse_case
    from trace_parity.pair.contract import Contract
    from trace_parity.pair.tolerances import global_rtol, with_rules
    from trace_parity.quirks.waivers import check_ids
    from trace_parity.result.compare import compare
    from trace_parity.result.result_json import read_result
    from trace_parity.trace import read_trace
    from trace_parity.trace.infer import infer_vocabulary
    from trace_parity.trace.precision import with_precision

    wanted = parse_formats(formats)
    rules = rules_of(rtol_words)
    check_ids(waive, pair.quirks)
    rtol = global_rtol(rules)
    stored = read_result(bundle / "result.json")
    logs = {side: bundle / "traces" / f"{side.lower()}.log" for side in ("C", "PY")}
    listed = pair.vocabulary
    vocabulary = with_rules(listed if listed.variables else infer_vocabulary(logs["C"], logs["PY"]), rules)
    vocabulary, precision = with_precision(vocabulary, logs)
    tables = [read_trace(path, side, vocabulary, lenient=lenient) for side, path in logs.items()]
    images = None
    if stored.images is not None:
        both = [read_image(bundle / "images" / f"{side}.bin", stored.images.shape) for side in ("c", "py")]
        images = compare_images(both[0], both[1], vocabulary.image, rtol)
    case = parse_case((bundle / "case.toml").read_text(encoding="utf-8"), str(bundle / "case.toml"), pair)
    contract = Contract(case.variables, stored.case.places, dict(case.ticks))
    result = compare(
        align(tables[0], tables[1], vocabulary),
        stored.case,
        contract,
        pair=pair,
        options=Options(rtol=rtol, waive=waive, blame_sites=blame_sites),
        images=images,
        settings=stored.settings,
    )

    def files() -> dict[str, bytes]:
        from trace_parity.cli.page_files import files_of_bundle

        return files_of_bundle(bundle, result)

    precise = (*precision, *result.precision)
    emit(replace(result, sources=stored.sources, precision=precise, bundle=str(bundle)), wanted, files)
    raise SystemExit(result.exit_code)
