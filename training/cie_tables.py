"""Make ``colour/cie_tables.json``: the usual observers and illuminants, as colour-science has them.

    python training/cie_tables.py

Every digit is kept: what is computed by the file is what colour-science would give.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import napari_hsr.colour
from napari_hsr.colour.observers import ILLUMINANTS, OBSERVERS, colour_science


def tables() -> dict[str, dict[str, Any]]:
    """First wavelength, step and values, by the name in colour-science."""
    colour = colour_science()
    found = {name: colour.MSDS_CMFS[name] for name in OBSERVERS.values()}
    found |= {name: colour.SDS_ILLUMINANTS[name] for name in ILLUMINANTS}
    return {
        name: {
            "first_nm": float(one.shape.start),
            "step_nm": float(one.shape.interval),
            "values": one.values.tolist(),
        }
        for name, one in found.items()
    }


def main() -> None:
    target = Path(napari_hsr.colour.__file__).with_name("cie_tables.json")
    rows = [f"{json.dumps(name)}: {json.dumps(table)}" for name, table in tables().items()]
    target.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
