"""Make ``cameras/camera_components.json``: what measured cameras are like, and how well that carries over.

    python training/camera_components.py TABLE

TABLE holds measured sensitivities (camera, wavelength, R, G, B). With ``--leave-one-out`` each
camera photographs a ColorChecker under D65 and is estimated by the components of all others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import napari_hsr.cameras
from napari_hsr.cameras import read_cameras
from napari_hsr.cameras.estimate import GRID_NM, components_of, estimate_camera
from napari_hsr.cameras.response import reflectances
from napari_hsr.colour import rendering_matrix
from napari_hsr.colour.observers import illuminant_values, sample
from napari_hsr.trust.chart import fit_chart
from napari_hsr.trust.chart_layout import CLASSIC, reflectances_of

#: Electrons behind the mean of a patch: 200 pixels of 10,000.
ELECTRONS = 2_000_000


def leave_one_out(cameras: list) -> None:
    """Print what is gained on patches that are not on the chart."""
    chart, light = reflectances_of(CLASSIC, GRID_NM), illuminant_values("D65", GRID_NM)
    light = light / light.mean()
    others = reflectances(tuple(GRID_NM))[:99]
    moment = chart.T @ chart / len(chart) + 1e-6 * np.eye(GRID_NM.size)
    white = rendering_matrix(GRID_NM, "D65")
    rng, rows = np.random.default_rng(0), []

    def error(seen: np.ndarray, matrix: np.ndarray) -> float:
        made = seen @ np.linalg.solve(
            matrix.T @ moment @ matrix + 1e-7 * np.eye(3), (moment @ matrix).T
        )
        cosine = (
            (made * others).sum(1) / np.linalg.norm(made, axis=1) / np.linalg.norm(others, axis=1)
        )
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())

    for camera in cameras:
        known = components_of([one for one in cameras if one is not camera])
        true = sample(GRID_NM, camera.wavelengths_nm, camera.sensitivities) * light[:, None]
        true *= 0.8 / true.sum(axis=0) * [0.5, 1.0, 0.65]
        colours = rng.poisson(chart @ true * ELECTRONS) / ELECTRONS
        fit, found = (
            fit_chart(colours, chart, GRID_NM),
            estimate_camera(colours, chart, light, known),
        )
        made, seen = found.sensitivities * light[:, None], others @ true
        away = np.abs(found.sensitivities * light[:, None] - true)
        rows.append(
            (
                np.nanmean(fit.delta_e),
                np.sqrt((away**2).sum() / (true**2).sum()),
                (away <= 2 * found.deviations * light[:, None]).mean(),
                error(seen, true),
                error(seen, made),
                error(fit.apply(seen), white),
                error(seen * fit.balance * fit.exposure, white),
            )
        )
    table = np.array(rows)
    names = (
        *("ΔE00 on the chart", "error of the sensitivities", "within two deviations"),
        *("SAM°, true sensitivities", "SAM°, estimated", "SAM°, matrix", "SAM°, balance alone"),
    )
    for name, values in zip(names, table.T, strict=True):
        print(f"{name:<28} mean {values.mean():.3f}, largest {values.max():.3f}")
    print(f"ΔE00 of 1 or less: {(table[:, 0] <= 1).mean():.0%} of {len(cameras)} cameras")
    gains = 1 - table[:, 4:6].mean(axis=0) / table[:, 6].mean()
    print(f"SAM gained over balance alone: {gains[0]:.1%} estimated, {gains[1]:.1%} by the matrix")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--leave-one-out", action="store_true")
    args = parser.parse_args()
    cameras = list(read_cameras(args.table).values())
    if args.leave_one_out:
        leave_one_out(cameras)
        return
    target = Path(napari_hsr.cameras.__file__).with_name("camera_components.json")
    target.write_text(json.dumps(components_of(cameras).to_dict()) + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
