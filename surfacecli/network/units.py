"""Where the data sit in a layer: units that are dead, active or mixed over all data points."""

from dataclasses import dataclass

from surfacecli.network.transfers import Array, Transfer


@dataclass(frozen=True)
class Units:
    """The units of one layer, counted by the pieces that their pre-activations lie on.

    `dead`: slope 0 on every data point; `active`: on every data point the same piece, of another
    slope; `mixed`: the other ones. Of a smooth transfer function all are `smooth`. `flat` is the
    share of the pairs of data point and unit at which the slope is 0.
    """

    dead: int
    mixed: int
    active: int
    smooth: int
    flat: float


def count_units(transfer: Transfer, pre_activations: Array) -> Units:
    """The units of a layer with pre-activations h (N, n); a node counts to its left."""
    flat = transfer.slope(pre_activations) == 0.0
    share, count = float(flat.mean()), pre_activations.shape[1]
    if not transfer.piecewise_linear:
        return Units(0, 0, 0, count, share)
    piece = transfer.piece(pre_activations)
    dead = flat.all(axis=0)
    active = (piece == piece[0]).all(axis=0) & ~dead
    n_dead, n_active = int(dead.sum()), int(active.sum())
    return Units(n_dead, count - n_dead - n_active, n_active, 0, share)
