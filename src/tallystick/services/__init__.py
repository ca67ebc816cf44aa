"""What the server can do, independent of the API that a request uses."""
