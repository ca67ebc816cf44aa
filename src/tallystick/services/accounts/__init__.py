"""People, what they may do, their tokens and their sites."""
