"""Two hundred connections in one process, beside as many of the C binding.

``python -m benchmarks.fleet`` prints the table.
"""
