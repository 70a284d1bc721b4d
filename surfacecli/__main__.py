"""`python -m surfacecli` is `surface`."""

from surfacecli.cli import main

if __name__ == "__main__":
    main()
