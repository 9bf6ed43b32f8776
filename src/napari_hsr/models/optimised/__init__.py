"""Networks made for speed: the copies that inference runs, each beside the exact one of its name."""
