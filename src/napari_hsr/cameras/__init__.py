"""Cameras: their sensitivities, and the photograph that one would take of a cube."""

from napari_hsr.cameras.response import matrix
from napari_hsr.cameras.sensitivities import Camera, get_camera, list_cameras, read_cameras
from napari_hsr.cameras.simulate import simulate
from napari_hsr.photograph import slug

__all__ = ["Camera", "get_camera", "list_cameras", "matrix", "read_cameras", "simulate", "slug"]
