"""Python clients of the three APIs, blocking and async, on httpx."""
