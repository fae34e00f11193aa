"""ceo: the menu when called alone, else one command."""

from __future__ import annotations

from ceo.cli import main

if __name__ == "__main__":
    main()
