"""What a file that cannot be read is refused with."""

from __future__ import annotations

import pytest

from napari_hsr.errors import FileError
from napari_hsr.io import read


def refused(path) -> str:
    """The one sentence on it, which names the file."""
    with pytest.raises(FileError) as fault:
        read(path)
    text = str(fault.value)
    assert path.name in text
    assert "\n" not in text
    return text
