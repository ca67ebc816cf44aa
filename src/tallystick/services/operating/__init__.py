"""What an operator needs to know about a running server: its state, and what is wrong with it."""
