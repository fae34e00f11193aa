"""The outside systems that ceod works with, one file each; they know no operation."""
