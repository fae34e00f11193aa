"""README's line for curl in production, typed by somebody who does not own the terminal, as after su."""

from __future__ import annotations

from sandbox.club import CHECKOUT
from tests.club.club import Club


def test_the_production_line_of_curl(club: Club) -> None:
    uid = club.name()
    blocks = (CHECKOUT / "README.md").read_text().split("```")[1::2]
    line = next(block for block in blocks if "curl --fail-with-body" in block).replace("test_2", uid)
    # Our pipes belong to root: office1 can write into them and can't open /dev/stderr.
    assert club.run_as("office1", "bash", "-c", "echo x > /dev/stderr").returncode != 0
    done = club.run_as("office1", "bash", "-c", f"set -o pipefail\n{line}")
    assert done.returncode == 0, done
    assert done.stdout == "true\n"
    assert '"status": "completed"' in done.stderr
    assert club.entries(f"(uid={uid})")
