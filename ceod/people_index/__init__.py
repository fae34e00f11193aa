"""The people index: a local copy of who is in the directory, for finding people as one types."""
