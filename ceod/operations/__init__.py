"""One file for each thing that a person asks for: its steps in reading order."""
