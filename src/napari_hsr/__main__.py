"""``python -m napari_hsr``, and the command ``napari-hsr``."""

import signal


def command() -> None:
    """Run the command; Ctrl-C while it is still being imported ends it without a traceback."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from napari_hsr.cli import command as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    command()
