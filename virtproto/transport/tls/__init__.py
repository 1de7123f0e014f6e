"""TLS on the way to a daemon: which files, what they must say, the handshake, the layer.

Responsible for behaving as libvirt's own client does with the same files and the same daemon, and
for saying which file and which field is at fault. Must not know sockets, or what travels inside.
"""
