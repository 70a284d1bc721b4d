"""The `network` of a preset: drawn from a seed, or from a file of weights."""

import itertools
import re

from surfacecli.network.model import Network, random_network
from surfacecli.network.transfers import TRANSFERS, Transfer, leaky_relu
from surfacecli.reading import schema
from surfacecli.reading.arrays import Arrays
from surfacecli.reading.ledger import Ledger
from surfacecli.reading.problems import in_words, shown_key, shown_path


def build_network(spec: schema.Network, ledger: Ledger) -> Network | None:
    """The network, or None where the ledger says why."""
    if spec.weights.file is not None:
        return _network_of_file(spec, spec.weights.file, ledger)
    if spec.widths is None:
        return None
    sizes = itertools.pairwise(spec.widths)
    if not ledger.afford(sum(a * b for a, b in sizes), ("network", "widths")):
        return None
    seed = ledger.draw("weights", spec.weights.seed)
    transfers = _transfers(spec, len(spec.widths) - 1, ledger)
    return random_network(spec.widths, transfers, seed, spec.biases)


def _network_of_file(spec: schema.Network, name: str, ledger: Ledger) -> Network | None:
    path = ("network", "weights", "file")
    file = ledger.folder / name
    arrays = ledger.arrays(file, r"[WwBb]\d+", path)
    if arrays is None:
        return None
    depth = sum(re.fullmatch(r"W\d+", key) is not None for key in arrays.named)
    layers = range(1, depth + 1)
    problem = _misnamed(arrays, depth)
    if problem is not None:
        ledger.note(path, f"{shown_path(file)}: {problem}")
        return None
    biases = tuple(arrays.named.get(f"b{layer}") for layer in layers)
    weights = tuple(arrays.named[f"W{layer}"] for layer in layers)
    try:
        network = Network(weights, biases, _transfers(spec, depth, ledger))
    except ValueError as error:
        ledger.note(path, f"{shown_path(file)}: {error}")
        return None
    ledger.afford(sum(W.size for W in weights), path)
    widths = list(network.widths)
    if spec.widths not in (None, widths):
        ledger.note(
            ("network", "widths"),
            f"{shown_path(file)} has widths {widths}; write these or leave widths out",
        )
    with_biases = any(b is not None for b in biases)
    if "biases" in spec.model_fields_set and spec.biases != with_biases:
        has = "biases" if with_biases else "no biases"
        ledger.note(("network", "biases"), f"{shown_path(file)} has {has}; leave this key out")
    return network


def _misnamed(arrays: Arrays, depth: int) -> str | None:
    """Which name is missing or wrong in a file with `depth` arrays W; None where all is well."""
    weights = [f"W{layer}" for layer in range(1, max(depth, 1) + 1)]
    missing = [key for key in weights if key not in arrays.named]
    allowed = {*weights, *(key.replace("W", "b") for key in weights)}
    odd = [key for key in arrays.named if key not in allowed]
    if missing:
        what = f"no {in_words(missing)}"
    elif odd:
        what = f"{shown_key(odd[0])} belongs to no layer"
    else:
        return None
    return (
        f"{what}; {arrays.holds()}; wanted are W1, W2, ... without a gap, and b1, b2, ... where "
        "there are biases"
    )


def _transfers(spec: schema.Network, depth: int, ledger: Ledger) -> tuple[Transfer, ...]:
    if not isinstance(spec.transfer, list):
        return (_transfer(spec.transfer),) * depth
    if len(spec.transfer) != depth:
        ledger.note(
            ("network", "transfer"),
            f"the list has {len(spec.transfer)}, the network {depth} layers; give one for each "
            "layer, or one without a list for all",
        )
        # The layers themselves are known: what depends on them is checked all the same.
        return (TRANSFERS["identity"],) * depth
    return tuple(map(_transfer, spec.transfer))


def _transfer(entry: str | schema.LeakySlope) -> Transfer:
    return TRANSFERS[entry] if isinstance(entry, str) else leaky_relu(entry.leaky_relu)
