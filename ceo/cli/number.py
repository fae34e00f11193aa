"""A whole number within limits, on the command line."""

from __future__ import annotations

import click


class Number(click.IntRange):
    """As click's, whose refusal of a word names an "integer range"."""

    name = "number"
