"""Runs of the panels that make a cube with a model."""


def settle(panel, qtbot) -> None:
    """Wait until the panel has made up its mind."""
    qtbot.waitUntil(
        lambda: not panel._settle.isActive() and not panel._check.running and panel._obstacle != "",
    )


def run(panel, qtbot) -> None:
    """Press Run, and wait for the end."""
    settle(panel, qtbot)
    assert panel.ready, panel.obstacle.text()
    panel.run_button.click()
    assert panel.running
    qtbot.waitUntil(lambda: not panel.running)
