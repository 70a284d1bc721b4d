"""`surface plot`: the figures of a preset."""

from typing import TYPE_CHECKING, Any

import click

from surfacecli.cli.options import (
    descent_options,
    fill_option,
    force_option,
    format_option,
    grid_options,
    json_option,
    method_options,
    output_option,
    preset_argument,
    quiet_option,
    show_options,
    size_option,
    slice_options,
    study_of,
    style_option,
)
from surfacecli.errors import SurfaceError

if TYPE_CHECKING:
    from surfacecli.geometry.descent.path import Method
    from surfacecli.geometry.layers import Quantity


@click.command("plot")
@preset_argument
@slice_options
@grid_options
@method_options
@style_option
@fill_option
@show_options
@size_option
@descent_options
@format_option
@output_option
@click.option("--panel", is_flag=True, help="All slices in one figure, PRESET-panel.")
@force_option
@json_option
@quiet_option
def plot(
    preset: str,
    file_format: str,
    output: str,
    panel: bool,
    fill: str,
    show: "Quantity | None",
    of_layer: int | None,
    descend: "tuple[Method, ...] | None",
    starts: tuple[tuple[float, float], ...],
    start_count: int | None,
    step: float | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Draw the error surface over each slice of PRESET, with its stationary points.

    Stationary points that form curves, level ridges and valleys, are drawn along their course.
    Where the audit of the points fails, figure and output say so (see check-maxima).

    With --descend paths of descent are drawn on it: gradient flow (in closed form in the cells of
    a squared loss within a layer, and where E is a function of u v; else integrated), and steps
    along the gradient, of Newton's method or of Gauss-Newton, each as far as E falls on it. On
    kinks the steepest descent is taken.

    Writes PRESET-SLICE.png (or svg, pdf) into the output folder, PRESET-SLICE-descent.png with
    paths. Every file holds what is needed to make it again: the preset's text, the seeds, the
    options, the versions.
    """
    if show is None and of_layer is not None:
        raise click.UsageError("--of belongs to --show")
    if show is not None:
        if panel or fill != "error" or choices["style"] is not None:
            raise click.UsageError("--show draws a map; leave out --style, --fill and --panel")
        if descend:
            raise click.UsageError("--show draws a map, without paths; leave out --descend")
        choices["style"] = "modern"
    if descend is None and (starts or start_count is not None or step is not None):
        raise click.UsageError("--start, --starts and --step belong to --descend")
    if step is not None and "gradient" not in (descend or ()):
        raise click.UsageError("--step is the size of gradient steps; say --descend gradient")
    study = study_of(preset, quiet=quiet, **choices)
    if of_layer is not None:
        from surfacecli.study import check_layer

        check_layer(study.preset, of_layer)
    if descend and study.style == "post":
        raise click.UsageError("style post draws no paths; choose --style modern or cells")
    if panel and study.style == "cells":
        raise click.UsageError("style cells draws one slice at a time; leave out --panel")
    if fill != "error" and study.style != "cells":
        raise click.UsageError("--fill belongs to --style cells")
    from pathlib import Path

    from surfacecli.cli.descending import descent_provenance, path_documents, print_paths
    from surfacecli.cli.working import examine
    from surfacecli.descents import descend_result
    from surfacecli.documents import verdict_document
    from surfacecli.figures import draw_panel, encode_figure, most_in_panel
    from surfacecli.outputs import inside, json_text, write_file
    from surfacecli.pictures import draw, file_name, picture_of, provenance_of
    from surfacecli.words import audited_words, count_words

    folder, slices = Path(output), study.drawable
    if panel and len(slices) > most_in_panel(study.size):
        raise SurfaceError(
            f"a panel of size {study.size} holds {most_in_panel(study.size)} slices, and "
            f"{study.preset.name} has {len(slices)}; leave out --panel"
            + (", or say --size page" if len(slices) <= most_in_panel("page") else "")
        )
    for slice in study.slices:
        if slice not in slices:
            click.echo(f"surface: {slice.name} left out: it has no polygonal cells", err=True)
    figures: list[dict[str, object]] = []
    results = []
    for slice in slices:
        result = examine(study, slice, quiet=quiet)
        paths = descend_result(result, descend, starts, start_count, step) if descend else ()
        results.append((result, paths))
        if panel:
            continue
        what = slice.name if fill == "error" else f"{slice.name}-{fill}"
        what += "-descent" * bool(descend)
        provenance = {**provenance_of(study, slice), **descent_provenance(paths)}
        document = verdict_document(result) | path_documents(paths)
        found = count_words(result.verdict.points) or "no stationary point"
        if show is None:
            figure = draw(result, fill=fill, paths=paths)
        else:
            # Only here: a plot without a map should not wait for them.
            from surfacecli.map_reports import draw_layer_map, map_document, map_words
            from surfacecli.mapping import make_map, plan_map

            plan = plan_map(result, show, of_layer)
            if plan.remark and not quiet:
                click.echo(f"surface: {plan.remark}", err=True)
            layer_map = make_map(result, plan)
            what = f"{slice.name}-{show}" + (f"-layer{of_layer}" if of_layer else "")
            provenance["map"] = document["map"] = map_document(layer_map)
            found = map_words(layer_map)
            figure = draw_layer_map(result, layer_map)
        path = inside(folder, file_name(study, what, file_format))
        title = f"{study.preset.title}: {slice.name}"
        write_file(path, encode_figure(figure, file_format, provenance, title), force=force)
        figures.append({"file": path.as_posix(), **document})
        if not as_json:
            said = audited_words(found, result.verdict.fault)
            click.echo(f"wrote {path.as_posix()}: {said}")
            print_paths(slice.name, paths)
    if panel:
        path = inside(folder, file_name(study, "panel" + "-descent" * bool(descend), file_format))
        pictures = [picture_of(result, paths=paths) for result, paths in results]
        figure = draw_panel(pictures, study.style, study.size)
        provenance = provenance_of(study, *study.slices)
        provenance |= descent_provenance([p for _, paths in results for p in paths])
        content = encode_figure(figure, file_format, provenance, study.preset.title)
        write_file(path, content, force=force)
        figures.append(
            {
                "file": path.as_posix(),
                "slices": [
                    verdict_document(result) | path_documents(paths) for result, paths in results
                ],
            }
        )
        if not as_json:
            names = ", ".join(audited_words(r.slice.name, r.verdict.fault) for r, _ in results)
            click.echo(f"wrote {path.as_posix()}: {names}")
            for result, paths in results:
                print_paths(result.slice.name, paths)
    if as_json:
        click.echo(json_text({"preset": study.preset.name, "figures": figures}), nl=False)
