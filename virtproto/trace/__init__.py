"""What passes between a client and a daemon, as values: followed, explained, counted, recorded.

Pure: bytes and times come in as arguments, text and values come out. What carries the bytes of
others is `virtproto.proxy`; what prints is `virtproto.cli`; a connection of this process shows its
own by ``open(uri, trace=...)``.
"""
