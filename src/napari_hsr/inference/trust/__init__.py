"""How far a result can be trusted: computed beside it, or when a pixel is looked at."""
