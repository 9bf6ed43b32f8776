"""Make ``cameras/camera_components.json``: what measured cameras are like, and how well that carries over.

    python training/camera_components.py TABLE

TABLE holds measured sensitivities (camera, wavelength, R, G, B). With ``--leave-one-out`` each
camera photographs a ColorChecker under D65 and is estimated by the components of all others; the 99
test samples of CIE 224, which are not on the chart, are then reconstructed. Patches of the chart are
also left out one by one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import napari_hsr.cameras
from napari_hsr import Photograph, load_model, reconstruct
from napari_hsr.cameras import read_cameras
from napari_hsr.cameras.estimate import GRID_NM, components_of, estimate_camera
from napari_hsr.cameras.response import reflectances
from napari_hsr.colour import rendering_matrix
from napari_hsr.colour.observers import illuminant_values, sample
from napari_hsr.trust.chart import fit_chart, srgb_difference
from napari_hsr.trust.chart_layout import CLASSIC, reflectances_of

#: Electrons behind the mean of a patch: 200 pixels of 10,000.
ELECTRONS = 2_000_000


#: Columns of the table: its name, and how many digits.
COLUMNS = {
    "ΔE00 balance alone": 2,
    "matrix": 2,
    "polynomial": 2,
    "of a patch left out": 2,
    "of the 99": 2,
    "sensitivities off by": 3,
    "within two deviations": 2,
    "SAM° balance alone": 2,
    "true sensitivities": 2,
    "estimated": 2,
    "matrix, SAM°": 2,
    "polynomial, SAM°": 2,
    "rootpoly-srgb, balance alone": 2,
    "rootpoly-srgb, polynomial": 2,
}


def leave_one_out(cameras: list) -> None:
    """Print, for each camera, what is gained on patches that are not on the chart."""
    chart, light = reflectances_of(CLASSIC, GRID_NM), illuminant_values("D65", GRID_NM)
    light = light / light.mean()
    others = reflectances(tuple(GRID_NM))[:99]
    moment = chart.T @ chart / len(chart) + 1e-6 * np.eye(GRID_NM.size)
    white = rendering_matrix(GRID_NM, "D65")
    wanted, wanted_others = chart @ white, others @ white
    model = load_model("rootpoly-srgb")
    rng, rows = np.random.default_rng(0), []

    def angle(made: np.ndarray) -> float:
        size = np.linalg.norm(made, axis=1) * np.linalg.norm(others, axis=1)
        cosine = (made * others).sum(axis=1) / size
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())

    def by_moments(seen: np.ndarray, matrix: np.ndarray) -> float:
        inner = matrix.T @ moment @ matrix + 1e-7 * np.eye(3)
        return angle(seen @ np.linalg.solve(inner, (moment @ matrix).T))

    def by_model(colours: np.ndarray) -> float:
        photograph = Photograph(np.maximum(colours, 0)[None].astype(np.float32), "linear-srgb")
        return angle(reconstruct(photograph, model).data[:, 0].T)

    def left_out(colours: np.ndarray) -> float:
        rest = [np.arange(len(chart)) != i for i in range(len(chart))]
        fits = [fit_chart(colours[used], chart[used], GRID_NM) for used in rest]
        made = np.stack([fit.apply(colour) for fit, colour in zip(fits, colours, strict=True)])
        return float(srgb_difference(made, wanted).mean())

    for camera in cameras:
        known = components_of([one for one in cameras if one is not camera])
        true = sample(GRID_NM, camera.wavelengths_nm, camera.sensitivities) * light[:, None]
        true *= 0.8 / true.sum(axis=0) * [0.5, 1.0, 0.65]
        colours = rng.poisson(chart @ true * ELECTRONS) / ELECTRONS
        fit = fit_chart(colours, chart, GRID_NM)
        found = estimate_camera(colours, chart, light, known)
        made, seen = found.sensitivities * light[:, None], others @ true
        away = np.abs(made - true)
        balanced = seen * fit.balance * fit.exposure
        matrixed = colours * fit.balance * fit.exposure @ fit.matrix
        row = (
            np.nanmean(fit.delta_e_before),
            srgb_difference(matrixed, wanted).mean(),
            np.nanmean(fit.delta_e),
            left_out(colours),
            srgb_difference(fit.apply(seen), wanted_others).mean(),
            np.sqrt((away**2).sum() / (true**2).sum()),
            (away <= 2 * found.deviations * light[:, None]).mean(),
            by_moments(balanced, white),
            by_moments(seen, true),
            by_moments(seen, made),
            by_moments(balanced @ fit.matrix, white),
            by_moments(fit.apply(seen), white),
            by_model(balanced),
            by_model(fit.apply(seen)),
        )
        rows.append(row)
    table = np.array(rows)
    print("| camera |", " | ".join(COLUMNS), "|")
    print("|---" * (len(COLUMNS) + 1) + "|")
    names = [camera.name for camera in cameras]
    summary = {"**mean**": table.mean(axis=0), "**largest**": table.max(axis=0)}
    for name, values in [*zip(names, table, strict=True), *summary.items()]:
        cells = zip(values, COLUMNS.values(), strict=True)
        print(f"| {name} |", " | ".join(f"{value:.{digits}f}" for value, digits in cells), "|")
    chosen = dict(zip(COLUMNS, table.T, strict=True))
    print(
        f"\nΔE00 of 1 or less on the chart: {(chosen['polynomial'] <= 1).sum()} of {len(cameras)}"
    )
    for before, after in (
        ("SAM° balance alone", "estimated"),
        ("SAM° balance alone", "matrix, SAM°"),
        ("SAM° balance alone", "polynomial, SAM°"),
        ("rootpoly-srgb, balance alone", "rootpoly-srgb, polynomial"),
    ):
        gain = 1 - chosen[after].mean() / chosen[before].mean()
        print(f"{after}: {gain:.1%} less than {before}")


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
