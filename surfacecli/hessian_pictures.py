"""From curvature to pictures: what the two figures show, and what their files say of themselves."""

from collections.abc import Sequence

import numpy as np

from surfacecli.figures import curvature as figures
from surfacecli.hessians import FULL, Exchanged, Hessians, signed_parts
from surfacecli.network.curvature import LayerCurvature, Rank, Spectrum
from surfacecli.pictures import preset_line, versions
from surfacecli.reading.problems import in_words


def where_words(hessians: Hessians) -> str:
    """'at the net's own weights', or 'at u = 0.5, v = 1 of slice E1'."""
    if hessians.slice is None or hessians.at is None:
        return "at the net's own weights"
    u, v = hessians.at
    return f"at u = {u:.6g}, v = {v:.6g} of slice {hessians.slice.name}"


def spectra_picture(hessians: Hessians) -> figures.SpectraPicture:
    """The spectra of the layers, of all layers together where they are held, and the units."""
    weights, inner, remarks = [], [], []
    sided = sided_words(hessians)
    for layer in hessians.layers:
        name = f"layer {layer.layer}"
        transfer = hessians.network.transfers[layer.layer - 1].name
        weights.append(_drawn(f"{name}: {transfer}", layer.weights, layer.gauss_newton))
        units = hessians.network.widths[layer.layer]
        inside = layer.pre_activations, layer.pre_activation_gauss_newton
        inner.append(_drawn(f"{name}: {units:,} unit{'s' * (units != 1)}", *inside))
    if hessians.full is not None:
        weights.append(_drawn("all layers together", hessians.full, None))
    else:
        remarks.append(f"all layers together: {hessians.weights:,} weights, {FULL:,} are held")
    if not hessians.smooth:
        remarks.append(node_words(hessians))
    return figures.SpectraPicture(
        title=hessians.preset.title,
        heading=f"Hessians {where_words(hessians)}" + (f", {sided}" if sided else ""),
        weights=weights,
        pre_activations=inner,
        units=[
            figures.UnitCounts(layer.layer, u.dead, u.mixed, u.active, u.smooth)
            for layer, u in zip(hessians.layers, hessians.units, strict=True)
        ],
        samples=len(hessians.preset.objective.data),
        provenance=preset_line(hessians.preset, hessians.slice),
        remarks="; ".join(remarks),
    )


def node_words(hessians: Hessians) -> str:
    """What is true at a point on a node."""
    count = sum(hessians.on_node) or sum(hessians.at_node)
    pairs = "1 pair" if count == 1 else f"{count:,} pairs"
    return f"{pairs} of data point and unit on a node, where the slope to its left counts"


def sided_words(hessians: Hessians) -> str:
    """Which Hessians are one-sided: 'one-sided over the weights of layer 1', or '' for none."""
    parts = []
    outer = _layers(hessians.one_sided)
    if not hessians.smooth:
        outer = " and ".join(part for part in (outer, "of all layers together") if part)
        parts.append(f"the weights {outer}")
    if hessians.inner_one_sided:
        parts.append(f"the pre-activations {_layers(hessians.inner_one_sided)}")
    return f"one-sided over {', and over '.join(parts)}" if parts else ""


def _layers(numbers: Sequence[int]) -> str:
    """'of layers 1 and 2'."""
    return f"of layer{'s' * (len(numbers) > 1)} {in_words(numbers, 'and')}" if numbers else ""


def _drawn(title: str, spectrum: Spectrum, gauss_newton: Spectrum | None) -> figures.Spectrum:
    if spectrum.eigenvalues is None:
        words = f"from {spectrum.smallest_eigenvalue:.4g} to {spectrum.largest_eigenvalue:.4g}"
        return figures.Spectrum(
            title,
            spectrum.size,
            spectrum.trace,
            np.empty(0),
            np.empty(0),
            remark=f"too many eigenvalues to hold: {words}, rank {spectrum.rank}",
        )
    positive, negative = signed_parts(spectrum)
    beside = None
    if gauss_newton is not None and gauss_newton.eigenvalues is not None:
        beside, _ = signed_parts(gauss_newton)
    return figures.Spectrum(title, spectrum.size, spectrum.trace, positive, negative, beside)


def depth_picture(hessians: Hessians, exchanged: Sequence[Exchanged]) -> figures.DepthPicture:
    """Rank and trace against depth, the transfer function exchanged."""
    count = len(hessians.preset.objective.data)
    kinked = [o.name for o in exchanged if any(layer.one_sided for layer in o.layers)]
    sided = f"; one-sided, at a kink, with {in_words(kinked, 'and')}" if kinked else ""
    return figures.DepthPicture(
        title=hessians.preset.title,
        heading=f"Curvature against depth {where_words(hessians)}, with the transfer function "
        f"exchanged{sided}",
        curves=[_curve(other, count) for other in exchanged],
        provenance=preset_line(hessians.preset, hessians.slice),
    )


def _curve(other: Exchanged, count: int) -> figures.DepthCurve:
    def bounds(rank: Rank, parts: int) -> tuple[float, float]:
        return rank.low / parts, rank.high / parts

    layers: Sequence[LayerCurvature] = other.layers
    return figures.DepthCurve(
        other.name,
        np.array([units.flat for units in other.units]),
        np.array([bounds(layer.pre_activations.rank, count) for layer in layers]),
        np.array([bounds(layer.rank, layer.size) for layer in layers]),
        np.array([layer.trace for layer in layers]),
    )


def hessian_provenance(hessians: Hessians) -> dict[str, object]:
    """All that is needed to make a figure of these Hessians again; no path of the machine."""
    preset, at = hessians.preset, None
    if hessians.slice is not None and hessians.at is not None:
        at = {"slice": hessians.slice.name, "u": hessians.at[0], "v": hessians.at[1]}
    return {
        "preset": preset.name,
        "preset_text": preset.text,
        "seeds": preset.seeds,
        "layers": [layer.layer for layer in hessians.layers],
        "at": at,
        "versions": versions(),
    }
