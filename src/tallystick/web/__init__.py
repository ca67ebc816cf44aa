"""The kit that surfaces share: client addresses, rate limits, CORS, traffic counts."""
