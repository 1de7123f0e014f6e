"""What moving bytes costs: memory to a volume and back, files to a volume and back.

``python -m benchmarks.streams`` prints one table; see ``__main__``.
"""
