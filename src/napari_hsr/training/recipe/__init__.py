"""A training as data: its settings, read from YAML, and what is wrong with them."""
