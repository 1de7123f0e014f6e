"""The roads to a daemon, shared by both front ends. Knows sockets; must not know messages."""
