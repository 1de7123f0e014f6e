"""Values and logic that both front ends share and that no socket, clock or thread enters.

Connection URIs, socket paths, argument checks, results as small records, conversations of more than
one call, and the daemon's errors. Knows the message classes; must not know who sends them.
"""
