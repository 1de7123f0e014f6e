"""Measurements of time and memory, beside the C binding and beside floors.

Tests never measure time; these commands do nothing else. Figures are ratios taken in one run.
"""
