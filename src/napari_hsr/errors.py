"""Faults that a user can act on, and the one that a user asked for.

Every message is one clear sentence meant for a person: it names the file or the
value, what was expected and what was found. Doors (command line, panels, reader)
show the message alone; anything that is *not* an :class:`HSRError` is a bug.
"""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import contextmanager
from enum import StrEnum
from os import PathLike, fspath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_OURS = __name__.partition(".")[0]
#: The system's numbers for a disk that is full, and for a user's share of it that is.
NO_ROOM_LEFT = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
#: What errors of libraries say when memory ran out, in lower case: they have no type of their own for it.
_LACK_OF_MEMORY = (
    "not enough memory",
    "out of memory",
    "can't allocate memory",
    "failed to allocate",
    "alloc_failed",
    "could not create a primitive",  # oneDNN
    "can't start new thread",  # its stack takes memory
    "failed to map segment",  # of a library that is imported
    "without exception set",  # a library that does not look whether it was given any
    "without setting an exception",
    "std::bad_alloc",
)


class Hint(StrEnum):
    """What helps against a fault; the command line says it by options, of those that a command has."""

    ALLOW_LARGE = "allow-large"
    ALLOW_MUCH_MEMORY = "allow-much-memory"
    BEGIN_ANEW = "begin-anew"
    LARGER_FACTOR = "larger-factor"
    NAME_IMAGES = "name-images"
    RESUME = "resume"
    SMALLER_TILES = "smaller-tiles"
    STATE_AXES = "state-axes"
    STATE_ENCODING = "state-encoding"
    STATE_NO_DATA = "state-no-data"


#: Hints in Python and in the viewer; what is none of these is clear without.
_IN_PYTHON = {
    Hint.ALLOW_LARGE: "If that is meant, read(…, allow_large=True) allows it, or --allow-large of the command line.",
    Hint.ALLOW_MUCH_MEMORY: "If that is meant, --allow-large of the command line allows it.",
    Hint.BEGIN_ANEW: "In Python that is overwrite=True.",
    Hint.LARGER_FACTOR: "In Python that is factor=….",
    Hint.STATE_AXES: "In Python that is read(…, axes=…).",
    Hint.STATE_NO_DATA: "In Python that is read(…, no_data=…), in the viewer “Contents of a file…”.",
}


def in_python(hint: Hint) -> str:
    """A hint for Python and the viewer; nothing where there is no way but the command line's."""
    return _IN_PYTHON.get(hint, "")


_wording: Callable[[Hint], str] = in_python


@contextmanager
def hints_worded(wording: Callable[[Hint], str]) -> Iterator[None]:
    """Inside, hints are said in these words, or not at all where there are none."""
    global _wording
    before, _wording = _wording, wording
    try:
        yield
    finally:
        _wording = before


def words_of(hint: Hint | None) -> str:
    """A hint as a sentence; nothing for None, or where it does not help."""
    return "" if hint is None else _wording(hint)


class HSRError(ValueError):
    """A fault in what the product was given; ``str(error)`` is fit for the user's eyes.

    Parameters
    ----------
    hint : Hint, optional
        What helps; its words follow the sentence.
    """

    def __init__(self, *args: object, hint: Hint | None = None):
        self.hint = hint
        super().__init__(*args)

    def __str__(self) -> str:
        return " ".join(filter(None, (super().__str__(), words_of(self.hint))))

    def __reduce__(self) -> tuple[object, ...]:
        """For workers' errors: those with arguments of their own could not be unpickled."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[HSRError], args: tuple[object, ...], state: dict[str, object]) -> HSRError:
    made = kind.__new__(kind)
    made.args = args
    made.__dict__.update(state)
    return made


class FileError(HSRError):
    """A file cannot be read or written as asked.

    Parameters
    ----------
    path : path-like
        The file or folder at fault; its name opens the sentence.
    problem : str
        What was expected and what was found, without a closing full stop.
    hint : Hint, optional
    """

    def __init__(self, path: str | PathLike[str], problem: str, hint: Hint | None = None):
        self.path = fspath(path)
        self.problem = problem
        super().__init__(f"{self.path}: {problem}.", hint=hint)


class AlreadyThereError(FileError):
    """A file exists that was not to be replaced."""

    def __init__(self, path: str | PathLike[str]):
        super().__init__(path, "it exists already and was not to be overwritten")


class GreyImageError(FileError):
    """A picture of one channel, where a photograph in colour was expected."""


class SeveralArraysError(FileError):
    """Several arrays of a file could be the cube, and nothing tells which: name one."""


class InputError(HSRError):
    """An array, cube or option does not fit the operation."""


class ModelError(HSRError):
    """A model cannot be found, recognised or used as asked."""


def did_you_mean(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """``" (did you mean X?)"`` where a name that is known comes near, else nothing."""
    import difflib

    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f" (did you mean {near[0]}?)" if near else ""


def disk_is_full(error: BaseException) -> bool:
    """Whether there is no room on a disk, or none left to this user."""
    return isinstance(error, OSError) and error.errno in NO_ROOM_LEFT


def lacks_memory(error: BaseException) -> bool:
    """Whether an error is a lack of memory, of the computer or a GPU, whatever a library calls it."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    torch = sys.modules.get("torch")  # whose error it cannot be if it is not loaded
    if torch is not None and isinstance(error, getattr(torch, "OutOfMemoryError", ())):
        return True
    told = isinstance(error, (RuntimeError, ImportError, SystemError))
    return told and any(words in str(error).lower() for words in _LACK_OF_MEMORY)


def explain(error: BaseException, debug: str = "--debug shows where") -> str:
    """One sentence about any error; ``debug`` says how a fault of the product is looked into."""
    if isinstance(error, HSRError):
        return str(error)
    if lacks_memory(error):
        return "There is not enough memory for this."
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return f"{about}{error.strerror}."
    library = _not_loaded(error)
    if library:
        return (
            f"{library} cannot be loaded ({type(error).__name__}: {str(error)[:200]}); its installation, or a "
            "variable of the environment that it reads, may be the cause."
        )
    return f"unexpected {type(error).__name__}: {error}. This is a fault in napari-hsr itself; {debug}."


def _not_loaded(error: BaseException) -> str | None:
    """The library of others whose import raised an error, None if none did."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if name == _OURS:  # what called us may be imported itself
            found = None
        elif frame.f_code.co_name == "<module>" and name != "__main__":
            found = found or name
    return found


class PlaceNotKeptWarning(UserWarning):
    """A file was written whose format has no words for where the cube's pixels lie on the ground."""


class Cancelled(Exception):  # noqa: N818 - an answer to a request, not an error
    """The work was cancelled by the user; nothing was left half-written.

    Attributes
    ----------
    part : object
        What was finished until then and can be kept, where the work hands it over; else None.
    """

    part: object = None
