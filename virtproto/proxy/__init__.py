"""Standing between a client and a daemon: carrying what they say, or taking the place of one.

Here are the sockets, processes and clocks of `virtproto.trace`, which says what passed.
"""
