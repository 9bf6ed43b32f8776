"""Where what is kept for a user lies."""

from __future__ import annotations

import os
from pathlib import Path

#: Names another data folder than the system's usual one.
DATA_VARIABLE = "NAPARI_HSR_DATA"


def data_folder() -> Path:
    """The user's data folder, or the one that ``NAPARI_HSR_DATA`` names; it need not exist."""
    if named := os.environ.get(DATA_VARIABLE):
        return Path(os.path.expanduser(named))  # unchanged if there is no such home
    from platformdirs import user_data_path

    return user_data_path("napari-hsr", appauthor=False)


def cache_folder() -> Path:
    """The system's folder for what can be made again; it need not exist."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-hsr", appauthor=False)
