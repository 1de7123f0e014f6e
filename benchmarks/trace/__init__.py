"""What it costs a client to be overheard: small calls, and bytes on the way.

``python -m benchmarks.trace`` prints one table; see ``__main__``.
"""
