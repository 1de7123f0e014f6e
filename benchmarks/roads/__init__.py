"""What the road to a daemon costs: opening, calls, lists and streams over each, in both colours.

``python -m benchmarks.roads`` prints one table; see ``__main__``.
"""
