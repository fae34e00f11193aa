"""One file a screen, or a few that are one job."""
