"""Put the stress test of bundled models into their cards.

    python training/stress.py [MODEL …] [--cameras camera_sensitivities.csv]

Models of a measured camera need the table of its sensitivities. It is run again whenever a model has new weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hashes import save_model
from root_polynomial import BUNDLED
from safetensors.torch import load_file

from napari_hsr.inference.trust.stress import stress_events
from napari_hsr.models.model_file import read_card
from napari_hsr.progress import result_of

#: By the names of the models, that of the camera in the table, if they are of one.
MODELS = {
    "mstpp-photo": None,
    "instant-photo": None,
    "rootpoly-srgb": None,
    "mstpp-d700": "Nikon_D700",
    "instant-nikon-d700": "Nikon_D700",
    "rootpoly-nikon-d700": "Nikon_D700",
}


def main() -> None:
    """Test, print, and write the cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--cameras", type=Path, help="table of sensitivities")
    options = parser.parse_args()
    for name in options.models:
        own = MODELS[name]
        if own and options.cameras is None:
            parser.error(f"{name} needs --cameras")
        camera = f"{options.cameras}:{own}" if own else None
        report = result_of(stress_events(name, camera=camera, device="cpu"))
        print(report.table(), flush=True)
        path = BUNDLED / f"{name}.safetensors"
        card = read_card(path).model_copy(update=report.card_fields())
        save_model(path, load_file(path), card)


if __name__ == "__main__":
    main()
