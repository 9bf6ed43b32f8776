"""What `make test` runs a part of, and `make test-all` and every night all.

A test of every network, every format or every point says the same of each of them. Those that
differ in kind are run every time, and the rest is marked, where each takes long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def thorough(values: Iterable[Any], *, always: Collection[Any]) -> list[Any]:
    """Values for ``pytest.mark.parametrize``, of which these are always tested.

    Parameters
    ----------
    values : iterable
        All of them, in their order.
    always : collection
        Those that `make test` tests, each of which must be among the values.

    Returns
    -------
    list
        The values; those that are tested by `make test-all` alone are marked.
    """
    values = list(values)
    unknown = [value for value in always if value not in values]
    if unknown:
        raise ValueError(f"{unknown} are not among {values}")
    return [
        value if value in always else pytest.param(value, marks=pytest.mark.thorough)
        for value in values
    ]
