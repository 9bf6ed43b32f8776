import ctypes
import gc
import sys

import pytest


@pytest.fixture
def returned_memory():
    """What earlier tests freed is the system's again.

    The C library keeps freed memory resident, and an array that is laid into it does not raise
    the resident memory that a peak is measured by.
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
