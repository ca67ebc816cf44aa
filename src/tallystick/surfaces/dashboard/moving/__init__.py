"""Moving a site's data: exports to download, imports by upload."""
