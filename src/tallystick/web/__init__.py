"""The kit that surfaces share: addresses, credentials, rate limits, judging, responses, CORS, traffic counts."""
