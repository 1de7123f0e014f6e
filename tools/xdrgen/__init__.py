"""The generator behind gen_xdr.py: reads the wire contract and prints code, .x files and diffs.

Standard library only, and never virtproto itself: what is generated must not be needed to generate.
"""
