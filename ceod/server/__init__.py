"""The HTTP server inside a gunicorn worker: whatever a stranger can hold has a deadline and costs no thread."""
