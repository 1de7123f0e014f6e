"""Sizes and counts that bound a conversation, each with its source.

Responsible for: the numbers only. Must not know how packets are cut or who asks. Limits of the
payloads themselves (strings, lists) belong to the contract and are checked by the codec.
"""

from __future__ import annotations

from virtproto.wire import rpc

__all__ = [
    "LENGTH_SIZE",
    "PACKET_MIN",
    "PACKET_MAX",
    "PAYLOAD_MAX",
    "FDS_MAX",
    "STREAM_CHUNK",
    "SERIAL_MODULUS",
    "FAILED_STREAMS_KEPT",
    "LONG_CALLS",
    "LIBVIRTD_PROGRAMS",
]

# VIR_NET_MESSAGE_LEN_MAX (virnetprotocol.x): the length word, which counts itself.
LENGTH_SIZE = rpc.MESSAGE_LEN_MAX

# 28 bytes: the length word and VIR_NET_MESSAGE_HEADER_MAX, a packet without payload.
PACKET_MIN = LENGTH_SIZE + rpc.MESSAGE_HEADER_MAX

# VIR_NET_MESSAGE_MAX, 32 MiB, bounds what follows the length word (virNetMessageDecodeLength).
PACKET_MAX = LENGTH_SIZE + rpc.MESSAGE_MAX

# VIR_NET_MESSAGE_PAYLOAD_MAX: what is left of a packet for arguments, results or stream data.
PAYLOAD_MAX = rpc.MESSAGE_PAYLOAD_MAX

# VIR_NET_MESSAGE_NUM_FDS_MAX: descriptors that may follow one packet.
FDS_MAX = rpc.MESSAGE_NUM_FDS_MAX

# VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX: the server's own read size for stream data, and the most that
# servers before 1.0.6 accept in one packet.
STREAM_CHUNK = rpc.MESSAGE_LEGACY_PAYLOAD_MAX

# The serial is one XDR unsigned int.
SERIAL_MODULUS = 1 << 32

# Our own: failed streams remembered per connection, because the daemon may still answer a hole
# that it could not apply with a REPLY on such a stream's serial. The oldest are forgotten first.
FAILED_STREAMS_KEPT = 256

# Our own: long calls that a daemon is given at a time. One less than its max_client_requests of 5
# (remote_daemon_config.c), at which it stops reading the connection.
LONG_CALLS = 4

# The programs (number, version) that a libvirtd registers for every client
# (remote_daemon.c:main): remote, qemu, lxc.
LIBVIRTD_PROGRAMS = frozenset({(0x20008086, 1), (0x20008087, 1), (0x00068000, 1)})
