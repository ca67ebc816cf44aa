"""The services of the server, independent of the APIs."""
