"""Announces that the available models have changed: one was imported or removed."""

from __future__ import annotations

from napari.utils.events import EventEmitter

#: Call it to let every open panel list the models again; listen through
#: :class:`~napari_hsr.widgets.common.connections.Connections`.
models_changed = EventEmitter(type_name="models_changed")
#: The same for camera profiles: one was kept.
profiles_changed = EventEmitter(type_name="profiles_changed")
