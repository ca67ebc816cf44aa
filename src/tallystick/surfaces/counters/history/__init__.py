"""The history of counters: ``/history/{namespace}/{key}``, as JSON, CSV and a chart."""
