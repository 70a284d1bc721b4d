"""The `data` of a preset: drawn from a seed, from a file, or a set that ships; and the loss."""

from pathlib import Path

from surfacecli.network.data import Data, Objective, random_data
from surfacecli.network.losses import LOSSES, squared
from surfacecli.network.model import Network
from surfacecli.reading import schema
from surfacecli.reading.ledger import Ledger
from surfacecli.reading.problems import KeyPath, guess, in_words, shown_path
from surfacecli.reading.shipped import bundled_data, bundled_data_path


def build_data(
    spec: schema.Data, loss: str, network: Network | None, ledger: Ledger
) -> Data | None:
    """The data set, or None where the ledger says why (or a drawn one lacks its network)."""
    if spec.file is not None:
        return _data_of_file(ledger.folder / spec.file, ("data", "file"), ledger)
    if spec.bundled is not None:
        return _bundled(spec.bundled, ledger)
    if spec.samples is None or network is None:
        return None
    inputs, outputs = network.widths[0], network.widths[-1]
    if not ledger.afford(spec.samples * (inputs + outputs), ("data", "samples")):
        return None
    return random_data(spec.samples, inputs, outputs, ledger.draw("data", spec.seed), loss)


def build_objective(
    spec: schema.Data, loss: str, network: Network, data: Data, ledger: Ledger
) -> Objective | None:
    """The objective, or None where network, data and loss do not fit together."""
    source = "file" if spec.file is not None else "bundled"
    objective = None
    # Squares take any target: what fails with them is the shape of the data, not the loss.
    for tried, path in ((squared, ("data", source)), (LOSSES[loss], ("loss",))):
        try:
            objective = Objective(network, data, tried)
        except ValueError as error:
            ledger.note(path, str(error))
            return None
    return objective


def _bundled(name: str, ledger: Ledger) -> Data | None:
    names = bundled_data()
    path = ("data", "bundled")
    if name in names:
        return _data_of_file(bundled_data_path(name), path, ledger)
    offer = guess(name, names, f"there is {in_words(names, 'and') or 'none'}")
    ledger.note(path, f"no data set of this name ships; {offer}")
    return None


def _data_of_file(file: Path, path: KeyPath, ledger: Ledger) -> Data | None:
    arrays = ledger.arrays(file, "inputs|targets", path)
    if arrays is None:
        return None
    missing = [name for name in ("inputs", "targets") if name not in arrays.named]
    if missing:
        ledger.note(path, f"{shown_path(file)}: no {in_words(missing)}; {arrays.holds()}")
        return None
    try:
        data = Data(arrays.named["inputs"], arrays.named["targets"])
    except ValueError as error:
        ledger.note(path, f"{shown_path(file)}: {error}")
        return None
    return data if ledger.afford(data.inputs.size + data.targets.size, path) else None
