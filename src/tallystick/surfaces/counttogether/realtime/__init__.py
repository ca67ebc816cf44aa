"""Live connections: WebSockets on either listener, and server-sent events. See ../README.md, "Live"."""
