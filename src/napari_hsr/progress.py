"""What long work says while it runs.

Inference, comparison and training are generators of events: some :class:`Progress`, then
one result. The same generator drives the command line, the panels and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far the work has come.

    Attributes
    ----------
    done : int
        Steps finished so far, 0..``total``.
    total : int
        Steps in all; 0 if it is not known.
    message : str
        What is being done now, for people.
    """

    done: int
    total: int
    message: str = ""
