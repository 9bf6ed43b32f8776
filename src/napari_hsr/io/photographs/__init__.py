"""Photographs: JPEG, PNG, WebP, HEIC, and raw files of cameras."""
