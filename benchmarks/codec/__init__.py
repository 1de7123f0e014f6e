"""What decoding costs the client: domain lists and typed parameters, and what importing costs.

``python -m benchmarks.codec`` prints one table; see ``__main__``.
"""
