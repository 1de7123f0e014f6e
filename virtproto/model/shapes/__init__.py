"""From a message of results to what a method returns: pure functions, a module for each topic.

Each takes the message (or a part of it) and returns plain values and records. Must not know who
made the call.
"""
