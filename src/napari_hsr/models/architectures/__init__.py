"""One network a file, each with its own recognition."""
