"""Make the snapshots of the public surface again.

    python tests/contract/make_snapshots.py            all of them
    python tests/contract/make_snapshots.py cards      one

A snapshot is made again only when the surface was meant to change: the difference in git is the
list of what users will notice, and belongs into the changelog.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def make(names: list[str]) -> None:
    """Write the snapshots of these names."""
    sys.path.insert(0, str(HERE.parents[1]))
    from tests.contract import surface

    for name in names or list(surface.SNAPSHOTS):
        with tempfile.TemporaryDirectory() as folder:
            content = surface.SNAPSHOTS[name](Path(folder))
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
        (HERE / "snapshots" / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
        print(f"{name}: {len(text):,} characters")


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as own:
        os.environ["NAPARI_HSR_DATA"] = os.path.join(own, "data")
        os.environ["NAPARI_HSR_CACHE"] = os.path.join(own, "cache")
        make(sys.argv[1:])
