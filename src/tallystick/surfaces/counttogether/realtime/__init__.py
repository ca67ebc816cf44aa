"""Live connections: WebSockets and server-sent events. See ../README.md, "Live"."""
