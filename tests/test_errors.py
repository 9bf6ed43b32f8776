"""Errors on their way between processes."""

import copy
import pickle

import pytest

from napari_hsr.errors import FileError, Hint, HSRError, SeveralArraysError


@pytest.mark.parametrize(
    "error",
    [
        HSRError("no such thing", hint=Hint.RESUME),
        FileError("a.tif", "a page is missing", hint=Hint.STATE_AXES),
        SeveralArraysError("a.mat", "two arrays were found"),
    ],
)
def test_errors_of_workers_are_what_they_were(error):
    for found in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(found) is type(error)
        assert str(found) == str(error)
        assert vars(found) == vars(error)
