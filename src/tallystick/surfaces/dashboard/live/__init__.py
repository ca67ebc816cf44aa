"""What moves by itself: the number of visitors now, and the last half hour."""
