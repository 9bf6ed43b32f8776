"""``python -m napari_hsr``, and the command ``napari-hsr``."""

import signal
import sys


def command() -> None:
    """Run the command; Ctrl-C while it is still being imported ends it without a traceback.

    Nor does a lack of memory or of handles of files end in one, by which a module cannot be loaded.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from napari_hsr.cli import command as run
    except (OSError, MemoryError) as error:
        told = getattr(error, "strerror", None) or "there is not enough memory"
        sys.exit(f"napari-hsr: error: the program cannot be loaded: {told}.")
    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    command()
