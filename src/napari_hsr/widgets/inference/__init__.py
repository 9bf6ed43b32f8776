"""The Reconstruct and Super-resolve panels, and what they share."""
