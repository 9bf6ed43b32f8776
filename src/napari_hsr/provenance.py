"""Where a cube comes from: kept in memory, in layers and in every file written."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names the time of what is made, in seconds since 1970, so that equal runs write equal bytes:
#: see https://reproducible-builds.org/specs/source-date-epoch/.
EPOCH = "SOURCE_DATE_EPOCH"


def now() -> str:
    """The time in UTC, ISO 8601 to the second, or the one that :data:`EPOCH` names.

    Raises
    ------
    InputError
        If it names none.
    """
    stated = os.environ.get(EPOCH)
    if not stated:
        return datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return datetime.fromtimestamp(int(stated), UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"The environment variable {EPOCH} is {stated!r}; it is to be a number of seconds since 1970."
        ) from error


@dataclass(frozen=True)
class Provenance:
    """The history of a cube.

    Attributes
    ----------
    input : str
        File name, layer name or description of what the cube was read or made from.
    model : str or None
        Name of the model that reconstructed it; None for measured data.
    weights_sha256 : str or None
        Hash of that model's weights.
    version : str or None
        Version of napari-hsr that made the cube.
    created : str or None
        ISO 8601 time (UTC) of the reconstruction: :func:`now`.
    steps : tuple of str
        What was done or assumed, in order, one plain sentence each.
    extra : dict
        Anything else that JSON can hold.
    """

    input: str = ""
    model: str | None = None
    weights_sha256: str | None = None
    version: str | None = None
    created: str | None = None
    steps: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def with_step(self, step: str) -> Provenance:
        """A copy with one more sentence at the end of ``steps``."""
        return replace(self, steps=(*self.steps, step))

    def based_on(self, name: str) -> Provenance:
        """A copy that comes from what has this name, unless it is known already."""
        return replace(self, input=self.input or name)

    def comes_from(self, *names: str) -> bool:
        """Whether ``input`` is one of these names, whatever their folders and types of file."""
        return bool(self.input) and PurePath(self.input).stem in {PurePath(n).stem for n in names}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; empty fields are left out."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Provenance:
        """The inverse of :meth:`to_dict`; keys it does not know are kept under ``extra``."""
        known = {f.name for f in fields(cls)}
        kept = {k: v for k, v in values.items() if k in known}
        extra = dict(kept.get("extra") or {}) | {k: v for k, v in values.items() if k not in known}
        kept["extra"] = extra
        kept["steps"] = tuple(kept.get("steps") or ())
        return cls(**kept)
