"""The warehouse: hits in columns, durably kept. See DESIGN.md."""
