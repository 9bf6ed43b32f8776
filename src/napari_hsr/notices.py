"""What the user must be told of a cube, a photograph or a result, with a code for programs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """How much a notice matters."""

    #: How something was done, or a limit of the method.
    INFO = "info"
    #: A guess that may be wrong, or a value that cannot be trusted.
    WARNING = "warning"


class Code(StrEnum):
    """What a notice is about. Programs branch on this and never on the text.

    The values are part of the API: they may be added to, not changed.
    """

    #: A notice without a code of its own: from a caller's plain string or from a file.
    OTHER = "other"

    # reading and writing files
    WAVELENGTHS_ASSUMED = "wavelengths-assumed"
    WAVELENGTHS_MISSING = "wavelengths-missing"
    WAVELENGTHS_UNUSABLE = "wavelengths-unusable"
    WAVELENGTHS_REORDERED = "wavelengths-reordered"
    WAVELENGTHS_REPEATED = "wavelengths-repeated"
    WAVELENGTH_UNIT_GUESSED = "wavelength-unit-guessed"
    LIST_UNUSABLE = "list-unusable"
    AXIS_GUESSED = "axis-guessed"
    AXES_CHANGED = "axes-changed"
    BYTES_LEFT_OUT = "bytes-left-out"
    BYTE_ORDER_ASSUMED = "byte-order-assumed"
    BYTE_ORDER_DOUBTFUL = "byte-order-doubtful"
    SCALE_APPLIED = "scale-applied"
    GAIN_NOT_APPLIED = "gain-not-applied"
    NO_DATA = "no-data"
    NOT_FINITE = "not-finite"
    PARTLY_WRITTEN = "partly-written"
    UNFINISHED = "unfinished"
    OTHER_ARRAYS_LEFT_OUT = "other-arrays-left-out"
    OTHER_IMAGES_LEFT_OUT = "other-images-left-out"
    OPENED_AS_CHOSEN = "opened-as-chosen"
    OTHER_FILES_READ = "other-files-read"
    RECORD_UNUSABLE = "record-unusable"
    PLACE_UNUSABLE = "place-unusable"
    ENCODING_UNKNOWN = "encoding-unknown"
    ENCODING_ASSUMED = "encoding-assumed"
    WHITE_BALANCE = "white-balance"
    ALPHA_LEFT_OUT = "alpha-left-out"
    OTHER_BAND_LEFT_OUT = "other-band-left-out"
    COLOURS_CONVERTED = "colours-converted"
    FULL_SCALE_APPLIED = "full-scale-applied"
    FULL_SCALE_DOUBTFUL = "full-scale-doubtful"
    VALUES_RESCALED = "values-rescaled"
    VALUES_ROUNDED = "values-rounded"
    DARK_FRAMES = "dark-frames"
    VALUES_SCALE_GUESSED = "values-scale-guessed"
    MAYBE_DAMAGED = "maybe-damaged"

    # stacks of photographs
    FRAMES_UNEVEN = "frames-uneven"
    FRAME_FAILED = "frame-failed"
    PLACEHOLDER = "placeholder"

    # cameras and photographs
    PIXELS_CLIPPED = "pixels-clipped"
    STAND_IN_SENSOR = "stand-in-sensor"
    CURVES_CUT_OFF = "curves-cut-off"

    # calibration
    REFERENCE_NOISE = "reference-noise"
    REFERENCE_FITTED = "reference-fitted"
    WHITE_TOO_DARK = "white-too-dark"
    WHITE_SATURATED = "white-saturated"

    # models
    ILL_POSED = "ill-posed"
    DETAIL_ESTIMATED = "detail-estimated"
    NOISE_LEFT_OUT = "noise-left-out"
    NOISE_STAYS = "noise-stays"
    BETWEEN_PIXELS = "between-pixels"

    # inference
    PRECISION = "precision"
    GRAPHICS_CARD = "graphics-card"
    TILES = "tiles"
    TILES_HALVED = "tiles-halved"
    DETAIL_FAST = "detail-fast"
    PART_ONLY = "part-only"
    CANCELLED_PART = "cancelled-part"
    RESUMED = "resumed"
    INTERVALS_APPROXIMATE = "intervals-approximate"
    SATURATED = "saturated"
    ALREADY_SUPER_RESOLVED = "already-super-resolved"
    WAVELENGTHS_NOT_TRAINED_ON = "wavelengths-not-trained-on"
    RESIDUAL_ABOVE_TOLERANCE = "residual-above-tolerance"

    # trust
    MEASURED_SHARE = "measured-share"
    COLOURS_EXACT = "colours-exact"
    COLOURS_NOT_MET = "colours-not-met"
    UNLIKE_TRAINING = "unlike-training"
    INTERVALS = "intervals"
    ROW_SPACE_APPROXIMATE = "row-space-approximate"

    # analysis
    MOSTLY_PRIOR = "mostly-prior"
    BANDS_CHOSEN = "bands-chosen"
    CONSTANTS_ASSUMED = "constants-assumed"
    SCALE_MATTERS = "scale-matters"
    NOISE_SINGULAR = "noise-singular"
    ENDMEMBERS_ALIKE = "endmembers-alike"

    # matching
    BAND_WIDTHS_ASSUMED = "band-widths-assumed"
    INDISTINGUISHABLE = "indistinguishable"

    # metrics
    COMMON_BANDS = "common-bands"
    BANDS_BY_INDEX = "bands-by-index"
    BANDS_LEFT_OUT = "bands-left-out"
    BAD_BANDS_LEFT_OUT = "bad-bands-left-out"
    SCALES_DIFFER = "scales-differ"
    UNITS_DIFFER = "units-differ"
    PLACES_DIFFER = "places-differ"
    FIGURE_UNDEFINED = "figure-undefined"
    BLACK_SPECTRA = "black-spectra"
    SCENE_NOT_IN_PROTOCOL = "scene-not-in-protocol"
    MAP_DIFFERS = "map-differs"
    REGION = "region"

    # training
    SPECTRA_LEFT_OUT = "spectra-left-out"
    SPECTRA_CHANGED = "spectra-changed"
    SPECTRA_FEW = "spectra-few"
    CUBE_WITHOUT_PHOTOGRAPH = "cube-without-photograph"
    PHOTOGRAPH_WITHOUT_CUBE = "photograph-without-cube"
    PAIR_UNCLEAR = "pair-unclear"
    NOT_IN_SPLIT_FILE = "not-in-split-file"
    TRAINED_AND_HELD_OUT = "trained-and-held-out"
    UNREADABLE = "unreadable"
    SIZES_DIFFER = "sizes-differ"
    OUT_OF_RANGE = "out-of-range"
    NOTHING_POSITIVE = "nothing-positive"
    SMALLER_THAN_A_PATCH = "smaller-than-a-patch"
    WAVELENGTHS_DIFFER = "wavelengths-differ"
    TOO_BRIGHT = "too-bright"
    NEGATIVE_VALUES = "negative-values"
    PHOTOGRAPH_UNRELATED = "photograph-unrelated"
    ENCODING_DOUBTFUL = "encoding-doubtful"
    ENCODING_OF_NO_USE = "encoding-of-no-use"
    IMAGES_LEFT_OUT = "images-left-out"
    RESAMPLED = "resampled"
    BANDS_NOT_MEASURED = "bands-not-measured"
    BANDS_STAY_WIDE = "bands-stay-wide"
    HELD_OUT_IN_TRAINING = "held-out-in-training"
    IMAGES_DECODED = "images-decoded"
    IMAGE_CHANGED = "image-changed"
    TENSORBOARD_MISSING = "tensorboard-missing"
    NO_CHECKPOINT = "no-checkpoint"
    PREVIEW_LEFT_OUT = "preview-left-out"
    RECIPE_CHANGED = "recipe-changed"
    RUN_NOT_LISTED = "run-not-listed"
    RUN_FOLDER_MADE_AGAIN = "run-folder-made-again"
    RUN_LINES_LEFT_OUT = "run-lines-left-out"
    STRATEGY_FAILED = "strategy-failed"
    STRATEGY_SKIPPED = "strategy-skipped"
    ADAPTER_WITHOUT_EFFECT = "adapter-without-effect"
    STEPS_FIXED = "steps-fixed"
    STEPS_LEFT = "steps-left"
    SMALLER_PARTS = "smaller-parts"

    # viewer


class Notice(str):
    """One sentence for the user, with a code that programs can branch on.

    It is a ``str`` (its text), so that notices can be printed, joined and written as they are;
    nothing in this package looks at the words. Notices are frozen.

    Parameters
    ----------
    code : Code or str
        What it is about.
    severity : Severity or str
        ``"info"`` or ``"warning"``.
    text : str
        One sentence.
    """

    code: Code
    severity: Severity
    __slots__ = ("code", "severity")

    def __new__(cls, code: Code | str, severity: Severity | str, text: str) -> Self:
        """Make a notice; codes and severities may be given by their values."""
        self = super().__new__(cls, text)
        object.__setattr__(self, "code", Code(code))
        object.__setattr__(self, "severity", Severity(severity))
        return self

    @classmethod
    def info(cls, code: Code, text: str) -> Self:
        """A notice of how something was done."""
        return cls(code, Severity.INFO, text)

    @classmethod
    def warning(cls, code: Code, text: str) -> Self:
        """A notice of a guess, or of values that cannot be trusted."""
        return cls(code, Severity.WARNING, text)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a notice is frozen: its {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a notice is frozen: its {name} cannot be deleted")

    def __getnewargs__(self) -> tuple[str, str, str]:  # type: ignore[override]  # str's takes one
        return self.code.value, self.severity.value, self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.__getnewargs__()

    def __repr__(self) -> str:
        return f"Notice({self.code.value!r}, {self.severity.value!r}, {self.text!r})"

    @property
    def text(self) -> str:
        """The sentence as a plain string."""
        return str.__str__(self)

    def with_text(self, text: str) -> Self:
        """The same notice in other words."""
        return type(self)(self.code, self.severity, text)


#: What a user who states the wavelengths has answered.
ABOUT_WAVELENGTHS = (
    Code.WAVELENGTHS_ASSUMED,
    Code.WAVELENGTHS_MISSING,
    Code.WAVELENGTHS_UNUSABLE,
    Code.WAVELENGTHS_REORDERED,
    Code.WAVELENGTHS_REPEATED,
    Code.WAVELENGTH_UNIT_GUESSED,
)


def as_notices(notices: Iterable[str]) -> tuple[Notice, ...]:
    """Notices as such: a plain string becomes an :attr:`Code.OTHER` of severity info.

    Equal ones are kept once, in their first place. A text alone is one notice, not one a letter.
    """
    notices = (notices,) if isinstance(notices, str) else notices
    made = (n if isinstance(n, Notice) else Notice(Code.OTHER, Severity.INFO, n) for n in notices)
    return tuple(dict.fromkeys(made))


def has(notices: Iterable[str], *codes: Code) -> bool:
    """Whether one of these notices has one of the codes."""
    return any(isinstance(n, Notice) and n.code in codes for n in notices)


def without(notices: Iterable[str], *codes: Code) -> tuple[Notice, ...]:
    """The notices without those of these codes."""
    return tuple(n for n in as_notices(notices) if n.code not in codes)
