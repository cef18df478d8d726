"""``python -m evalbox`` and the ``evalbox`` program."""

from evalbox.cli.app import main

if __name__ == "__main__":
    main()
