"""CountTogether over HTTP: judging a request, and one handler a URL."""
