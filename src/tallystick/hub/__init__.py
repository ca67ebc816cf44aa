"""In-memory subscriptions of live connections. See DESIGN.md."""
