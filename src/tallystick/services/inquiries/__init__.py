"""Questions as people and programs send them: names, filters, goals, segments, imports, and their answers."""
