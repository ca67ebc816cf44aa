"""The server as a whole, for its superusers: its state, its accounts and sites, its log."""
