"""A whole club of real servers in namespaces of its own: for tests, for the demo, and to practise on."""
