"""What every test run starts with: one BLAS thread, and the manners of property tests."""

import os

from surfacecli.threads import pin_blas_threads

pin_blas_threads()  # before anything imports numpy

from hypothesis import settings  # noqa: E402

# No deadline: a shared machine stalls now and then. CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
