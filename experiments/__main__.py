"""List of the experiment scripts, each with its question and cost."""

from experiments.script.listing import listing


def main() -> None:
    """Print the list of experiments."""
    print(listing("python -m experiments."))


if __name__ == "__main__":
    main()
