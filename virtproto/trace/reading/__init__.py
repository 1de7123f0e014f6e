"""Whatever was overheard as records: recordings, captures, and bytes pasted into a text.

A reader has ``feed``, ``rest`` and ``finish``; `formats` tells which one a file is for.
"""
