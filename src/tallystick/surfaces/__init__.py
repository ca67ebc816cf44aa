"""Ways in: one folder a published contract. None knows another."""
