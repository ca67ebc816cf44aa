"""The older statistics, ``/api/v1/stats`` (contract 5): most published clients call these."""
