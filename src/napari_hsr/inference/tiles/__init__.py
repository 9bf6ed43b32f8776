"""The one loop over tiles: cut, computed, carried, put together, wherever they are computed."""
