"""GoatCounter's API behind ``/api/v0``: judging a request, and one handler a URL."""
