"""Many items as one queue that goes on after a fault."""
