"""Who is told after a commit: subscriptions of live connections, all in memory."""
