"""Spectra that have exactly the colours a camera measured.

For a linear camera C (bands, 3) a colour ρ = Cᵀs leaves a spectrum open in all directions that
the camera does not see. Whatever spectra ŝ a network says,

    s = ŝ + K (ρ − Cᵀŝ),    K = Q C (Cᵀ Q C)⁻¹,

have the colours ρ, and are nearest to ŝ in the metric of Q⁻¹. With Q = I this is the projection of
Lin and Finlayson (Sensors 2020, 20(21) 6399); here Q is the second moment of natural spectra, so
that a correction looks like one of them. Where s has a negative band, it is multiplied by
exp(C λ), the spectrum next to it in the sense of Kullback and Leibler among those that are positive
and have the colour (Csiszár 1975), found by Newton's method for λ in three dimensions. A colour at
the limit of what positive spectra have, as of a laser, takes λ without end: as much of that spectrum
as leaves a possible rest is then kept, and the rest is one of least squares (Lawson and Hanson 1974).

A saturated channel says "at least this", a channel of integers that is zero says "at most half a
step": they bind only where they are violated. All is homogeneous: q ρ and q ŝ give q s.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.trust.linear_camera import LinearCamera

#: What a channel of a colour says of the truth.
EQUAL, AT_LEAST, AT_MOST = 0, 1, 2
#: A colour error, relative to the brightest channel, up to which a colour counts as met.
TOLERANCE = 1e-5
#: Negative bands are lifted to this share of the spectrum's mean before they are multiplied.
_FLOOR = 1e-3
#: Newton's steps, after which of them colours that nothing has are left, and the longest exponent of one.
_STEPS, _DOUBTFUL = 200, 40
_LONGEST = 6.0
_MOST_EXPONENT = 500.0  # of what float64 holds
#: Shares of a spectrum nearly of the colour that are tried, the rest being of least squares.
_KEPT = (1.0, 0.99, 0.95, 0.8, 0.5, 0.2, 0.0)


@dataclass(frozen=True, eq=False)
class ExactColours:
    """Spectra with the colours of a photograph.

    Attributes
    ----------
    spectra : ndarray, shape (bands, pixels), float64
        Not negative.
    residual : ndarray, shape (pixels,), float64
        ‖ρ − Cᵀŝ‖ / ‖ρ‖ before: how far the network was from the colours; 0 for a black pixel. A
        channel that is an inequality counts where it was violated.
    met : ndarray of bool, shape (pixels,)
        False where no spectrum without negative values has this colour: such a pixel is the nearest
        in the metric of Q⁻¹, with its negative values set to zero.
    """

    spectra: np.ndarray
    residual: np.ndarray
    met: np.ndarray


def residual(
    spectra: np.ndarray,
    colours: np.ndarray,
    linear_camera: LinearCamera,
    says: np.ndarray | None = None,
) -> np.ndarray:
    """‖ρ − Cᵀs‖ / ‖ρ‖, (pixels,); parameters as for :func:`project`."""
    missing = colours - linear_camera.matrix.T @ spectra
    if says is not None:
        missing = np.where(says == AT_LEAST, np.maximum(missing, 0), missing)
        missing = np.where(says == AT_MOST, np.minimum(missing, 0), missing)
    size = np.linalg.norm(colours, axis=0)
    out: np.ndarray = np.linalg.norm(missing, axis=0) / np.where(size > 0, size, 1)
    return np.where(size > 0, out, 0.0)


def project(
    spectra: np.ndarray,
    colours: np.ndarray,
    linear_camera: LinearCamera,
    says: np.ndarray | None = None,
) -> ExactColours:
    """The spectra next to these that have the colours and no negative value.

    Parameters
    ----------
    spectra : ndarray, shape (bands, pixels)
        ŝ, finite.
    colours : ndarray, shape (3, pixels)
        ρ, finite, in the encoding of ``linear_camera``.
    linear_camera : LinearCamera
    says : ndarray of int, shape (3, pixels), optional
        :data:`EQUAL`, :data:`AT_LEAST` or :data:`AT_MOST` for each channel; all equal by default.
    """
    given = np.asarray(spectra, dtype=np.float64)
    wanted = np.asarray(colours, dtype=np.float64)
    says = np.zeros(wanted.shape, np.uint8) if says is None else np.asarray(says, np.uint8)
    out = np.empty_like(given)
    met = np.ones(given.shape[1], bool)
    codes = says[0] + 3 * says[1] + 9 * says[2]
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        kind = (code % 3, code // 3 % 3, code // 9)
        out[:, at], met[at] = _project_alike(given[:, at], wanted[:, at], linear_camera, kind)
    return ExactColours(out, residual(given, wanted, linear_camera, says), met)


def _project_alike(
    given: np.ndarray, wanted: np.ndarray, linear_camera: LinearCamera, kind: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Spectra whose channels all say the same, and which are met."""
    pixels = given.shape[1]
    best, active = given.copy(), np.zeros(pixels, np.uint8)
    distance = np.full(pixels, np.inf)
    for channels in _active_sets(kind):
        found, far = _nearest(given, wanted, linear_camera, channels)
        better = _obeys(found, wanted, linear_camera, kind, channels) & (far < distance)
        best[:, better], distance[better] = found[:, better], far[better]
        active[better] = sum(1 << c for c in channels)
    met = np.isfinite(distance)
    negative = met & (best < 0).any(axis=0)
    for _ in range(4):  # an inequality more at a time, of three
        if not negative.any():
            break
        for bits in np.unique(active[negative]):
            channels = tuple(c for c in range(3) if bits >> c & 1)
            at = np.flatnonzero(negative & (active == bits))
            best[:, at], met[at] = _positive(best[:, at], wanted[:, at], linear_camera, channels)
        again = negative & met
        violated = ~_obeys(best, wanted, linear_camera, kind, ())
        negative = again & violated
        for c in range(3):
            if kind[c] != EQUAL:
                worse = negative & ~_obeys(best, wanted, linear_camera, kind, (), only=c)
                active[worse] |= 1 << c
    if any(k != EQUAL for k in kind):
        _by_slack(best, met, wanted, linear_camera, kind)
    dark = (wanted <= 0).all(axis=0) & all(k == EQUAL for k in kind)
    best[:, dark], met[dark] = 0.0, (wanted[:, dark] == 0).all(axis=0)
    return np.maximum(best, 0), met


def _active_sets(kind: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The equations, with every choice of inequalities that may bind."""
    equations = [c for c in range(3) if kind[c] == EQUAL]
    free = [c for c in range(3) if kind[c] != EQUAL]
    for number in range(len(free) + 1):
        for more in combinations(free, number):
            yield tuple(sorted((*equations, *more)))


def _obeys(
    spectra: np.ndarray,
    wanted: np.ndarray,
    linear_camera: LinearCamera,
    kind: Sequence[int],
    channels: Sequence[int],
    only: int | None = None,
) -> np.ndarray:
    """Where the inequalities hold that are not among the equations ``channels``."""
    holds = np.ones(spectra.shape[1], bool)
    slack = 0.1 * TOLERANCE * np.abs(wanted).max(axis=0)
    for c in range(3) if only is None else (only,):
        if kind[c] == EQUAL or c in channels:
            continue
        over = linear_camera.matrix[:, c] @ spectra - wanted[c]
        holds &= over >= -slack if kind[c] == AT_LEAST else over <= slack
    return holds


def _nearest(
    given: np.ndarray, wanted: np.ndarray, linear_camera: LinearCamera, channels: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The projection onto the equations of some channels, and its distance squared."""
    if not channels:
        return given, np.zeros(given.shape[1])
    camera = linear_camera.matrix[:, list(channels)]
    seen = linear_camera.second_moment @ camera
    gram = camera.T @ seen
    missing = wanted[list(channels)] - camera.T @ given
    weights = np.linalg.solve(gram, missing)
    return given + seen @ weights, (missing * weights).sum(axis=0)


def _positive(
    spectra: np.ndarray, wanted: np.ndarray, linear_camera: LinearCamera, channels: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The positive spectra with the colours in some channels that are next to these."""
    if not channels:  # no channel binds
        return np.maximum(spectra, 0), np.ones(spectra.shape[1], bool)
    camera = linear_camera.matrix[:, list(channels)]
    aim = wanted[list(channels)]
    # a spectrum that is nowhere positive starts from a natural one of this brightness
    lifted = np.maximum(spectra, 0)
    level = lifted.mean(axis=0)
    scale = np.abs(aim).max(axis=0)
    level = np.where(level > 0, level, scale)
    start = np.maximum(
        lifted, _FLOOR * level * linear_camera.natural[:, None] / linear_camera.natural.mean()
    )
    power = np.zeros((len(channels), spectra.shape[1]))
    out = start.copy()
    error = np.full(spectra.shape[1], np.inf)
    todo = np.arange(spectra.shape[1])
    for step_number in range(_STEPS):
        if step_number == _DOUBTFUL:
            todo = todo[_possible(camera, aim[:, todo])]
        now = start[:, todo] * np.exp(np.minimum(camera @ power[:, todo], _MOST_EXPONENT))
        missing = aim[:, todo] - camera.T @ now
        relative = np.abs(missing).max(axis=0) / np.where(scale[todo] > 0, scale[todo], 1)
        better = relative < error[todo]
        out[:, todo[better]], error[todo[better]] = now[:, better], relative[better]
        going = relative > 1e-2 * TOLERANCE
        if not going.any():
            break
        todo, now, missing = todo[going], now[:, going], missing[:, going]
        hessian = np.einsum("kc,kn,kd->ncd", camera, now, camera, optimize=True)
        trace = np.trace(hessian, axis1=1, axis2=2)
        hessian += (1e-12 * trace + 1e-300)[:, None, None] * np.eye(len(channels))
        step = np.linalg.solve(hessian, missing.T[:, :, None])[:, :, 0].T
        longest = np.abs(camera @ step).max(axis=0)
        power[:, todo] += step * np.minimum(1, _LONGEST / np.maximum(longest, 1e-300))
    for pixel in todo[error[todo] > TOLERANCE]:
        out[:, pixel], error[pixel] = _mixed(out[:, pixel], camera, aim[:, pixel])
    met = error <= TOLERANCE
    return np.where(met, out, spectra), met


def _by_slack(
    best: np.ndarray,
    met: np.ndarray,
    wanted: np.ndarray,
    linear_camera: LinearCamera,
    kind: Sequence[int],
) -> None:
    """Meet, in place, what no choice of binding inequalities met: a slack each, never negative."""
    left = np.flatnonzero(~met | ~_obeys(np.maximum(best, 0), wanted, linear_camera, kind, ()))
    sides = [(c, -1.0 if kind[c] == AT_LEAST else 1.0) for c in range(3) if kind[c] != EQUAL]
    slack = np.zeros((len(sides), 3))
    for row, (channel, side) in zip(slack, sides, strict=True):
        row[channel] = side * np.abs(linear_camera.matrix).max()
    camera = np.vstack([linear_camera.matrix, slack])
    possible = _possible(camera, wanted[:, left])
    met[left] = possible
    for pixel in left[possible]:
        near = np.append(np.maximum(best[:, pixel], 0), np.zeros(len(sides)))
        best[:, pixel] = _mixed(near, camera, wanted[:, pixel])[0][: len(best)]


def _possible(camera: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Which colours (channels, pixels) some spectrum without negative values has.

    Those of the cone of the camera's rows: on the inner side of every plane through two of them that
    has all on one side.
    """
    if len(colours) != 3:
        return np.array([_rest(camera, colour)[1] <= TOLERANCE for colour in colours.T], bool)
    size = np.linalg.norm(camera, axis=1)
    rays = camera[size > 1e-9 * size.max()] / size[size > 1e-9 * size.max(), None]
    planes = np.cross(rays[:, None], rays).reshape(-1, 3)
    length = np.linalg.norm(planes, axis=1)
    planes = planes[length > 1e-9] / length[length > 1e-9, None]
    planes = planes[(planes @ rays.T).min(axis=1) >= -1e-9]
    scale = np.abs(colours).max(axis=0)
    out: np.ndarray = (planes @ colours >= -TOLERANCE * scale).all(axis=0)
    return out


def _rest(camera: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, float]:
    """The spectrum of least squares without negative values, and its largest error, relative."""
    from scipy.optimize import nnls

    scale = max(float(np.abs(colour).max()), 1e-300)
    found = scale * nnls(camera.T, colour / scale)[0]
    return found, float(np.abs(colour - camera.T @ found).max() / scale)


def _mixed(near: np.ndarray, camera: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, float]:
    """As much of a spectrum as leaves a possible colour to the rest, and the error, relative."""
    scale = max(float(np.abs(colour).max()), 1e-300)
    for kept in _KEPT:
        found = kept * near + _rest(camera, colour - kept * (camera.T @ near))[0]
        error = float(np.abs(colour - camera.T @ found).max() / scale)
        if error <= 0.1 * TOLERANCE:
            break
    return found, error
