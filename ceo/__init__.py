"""The client: a command line and a menu."""
