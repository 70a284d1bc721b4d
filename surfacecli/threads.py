"""One BLAS thread, decided before numpy is imported.

On the small matrices of this project more threads cost up to 19 times the time, and they change
the last bits of a product. A value that the user has set stays.
"""

import os

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def pin_blas_threads(threads: int | None = None) -> None:
    """Ask for one BLAS thread where the user has set none, or for `threads` whatever is set."""
    for variable in VARIABLES:
        if threads is None:
            os.environ.setdefault(variable, "1")
        else:
            os.environ[variable] = str(threads)
