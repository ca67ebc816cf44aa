"""Entry point of ``python -m tallystick`` and of the ``tallystick`` command."""

from tallystick.cli.main import main

if __name__ == "__main__":
    main()
