"""Small programs that ceod execs, so that hostile bytes, endless calls and changed identities stay out of the daemon."""
