"""x"""

HELP = "run the main job on sample data"


def add_arguments(parser) -> None:
    pass


def run(args) -> int:
    raise NotImplementedError
