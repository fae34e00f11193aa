"""What one account may use of a database server, MariaDB and PostgreSQL alike."""

from __future__ import annotations

# At once.  A server has about a hundred for everybody, so that one account without a limit could
# shut out all others.
CONNECTIONS = 10
