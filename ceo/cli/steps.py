"""The steps of a transaction as lines: on a terminal each appears when it starts and gets its tick and time when it is done."""

from __future__ import annotations

import os
import sys

import click

from ceo_common.events import Event
from ceo_common.text import shown

_MARKS = {"done": "✓", "undone": "↶", "not_ours": "↶", "waiting": "…", "undo_failed": "✗", "started": "·"}
_PLAIN = {"done": "ok", "undone": "undone", "not_ours": "left", "waiting": "waits", "undo_failed": "UNDO FAILED", "started": ".."}


class Steps:
    """Shows events on standard error, so that standard output holds the result alone."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.transaction = ""
        encoding = (sys.stderr.encoding or "").lower()
        self.marks = _MARKS if "utf" in encoding else _PLAIN

    def __call__(self, event: Event) -> None:
        """Show one."""
        self.transaction = event["transaction"]
        state = event.get("state")
        if self.quiet or state is None:
            return
        if state == "queued":
            click.echo("  waiting: many changes are in progress", err=True)
        elif state == "started":
            if self.live:
                click.echo(f"\r\x1b[K  {self.marks['started']} {shown(event.get('operation', ''))}", nl=False, err=True)
        elif state == "progress":
            if self.live:
                told = f"{event.get('done', 0)} of {event.get('items', 0)}"
                click.echo(f"\r\x1b[K  {self.marks['started']} {shown(event.get('operation', ''))}: {told}", nl=False, err=True)
        else:
            click.echo(("\r\x1b[K" if self.live else "") + self._line(event, state), err=True)

    def _line(self, event: Event, state: str) -> str:
        line = f"  {self.marks.get(state, state)} {shown(event.get('operation', ''))}"
        if state == "done":
            return f"{line:<32}{event.get('elapsed_ms', 0):>6} ms"
        if state == "waiting":
            return f"{line}: not done yet; ceod tries again by itself ({shown((event.get('error') or {}).get('error', ''))})"
        return f"{line}: {({'undone': 'undone', 'not_ours': 'left as it is'}).get(state, 'could not be undone')}"
