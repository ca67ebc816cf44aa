"""The image that counts without a script."""

PIXEL = bytes.fromhex("47494638396101000100800100000000ffffff21f90401000001002c00000000010001000002024c01003b")
"""A transparent GIF of one pixel, 43 bytes."""
