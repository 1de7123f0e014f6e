"""The replies that are measured, as bytes, built from XDR's rules and nothing of virtproto's."""

from __future__ import annotations

import struct
import uuid

CONNECT_LIST_ALL_DOMAINS = 273
CONNECT_GET_ALL_DOMAIN_STATS = 344

INT, UINT, LLONG, ULLONG, DOUBLE, BOOLEAN, STRING = range(1, 8)
_VALUE_FORMATS = {INT: ">i", UINT: ">I", LLONG: ">q", ULLONG: ">Q", DOUBLE: ">d", BOOLEAN: ">i"}


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw + bytes(-len(raw) % 4)


def _domain(index: int, *, varied: bool = False) -> bytes:
    name = f"vm{index:05d}" + ("-" + "x" * (index * 7 % 23) if varied else "")
    return _string(name) + uuid.uuid5(uuid.NAMESPACE_OID, name).bytes + struct.pack(">i", index + 1)


def domain_list(count: int, *, varied: bool = False) -> bytes:
    """Return the reply of CONNECT_LIST_ALL_DOMAINS for ``count`` domains.

    With ``varied`` the names have different lengths, which shared layouts cannot foresee.
    """
    domains = b"".join(_domain(i, varied=varied) for i in range(count))
    return struct.pack(">I", count) + domains + struct.pack(">I", count)


def _param(name: str, kind: int, value: float | str) -> bytes:
    head = _string(name) + struct.pack(">i", kind)
    if kind == STRING:
        return head + _string(str(value))
    return head + struct.pack(_VALUE_FORMATS[kind], value)


def iothread_params(index: int) -> list[bytes]:
    """Return 60 parameters of numbers alone, as the test driver's iothread group makes them."""
    params = [
        _param("state.state", INT, 1),
        _param("state.reason", INT, 1),
        _param("iothread.count", UINT, 19),
    ]
    for thread in range(19):
        params += [
            _param(f"iothread.{thread}.poll-max-ns", ULLONG, 32768 + index),
            _param(f"iothread.{thread}.poll-grow", UINT, 0),
            _param(f"iothread.{thread}.poll-shrink", UINT, index),
        ]
    return params


def _qemu_block_params(index: int) -> list[bytes]:
    params = [_param("block.count", UINT, 3)]
    for disk in range(3):
        params += [
            _param(f"block.{disk}.name", STRING, f"vd{'abc'[disk]}"),
            _param(f"block.{disk}.path", STRING, f"/var/lib/libvirt/images/vm{index}-{disk}.qcow2"),
            *(
                _param(f"block.{disk}.{counter}", ULLONG, 10**6 * disk + index)
                for counter in (
                    "rd.reqs",
                    "rd.bytes",
                    "rd.times",
                    "wr.reqs",
                    "wr.bytes",
                    "wr.times",
                )
            ),
            _param(f"block.{disk}.capacity", ULLONG, 10737418240),
        ]
    return params


def qemu_params(index: int) -> list[bytes]:
    """Return 60 parameters shaped like a QEMU guest's: numbers with some strings between."""
    params = [_param("state.state", INT, 1), _param("state.reason", INT, 1)]
    params += [_param(f"cpu.{part}", ULLONG, 10**9 + index) for part in ("time", "user", "system")]
    params += [
        _param(f"balloon.{part}", ULLONG, 1048576 + index)
        for part in ("current", "maximum", "swap_in", "swap_out", "unused", "available", "rss")
    ]
    params += [_param("vcpu.current", UINT, 3), _param("vcpu.maximum", UINT, 3)]
    for vcpu in range(3):
        params += [
            _param(f"vcpu.{vcpu}.state", INT, 1),
            _param(f"vcpu.{vcpu}.time", ULLONG, 10**9 * vcpu + index),
            _param(f"vcpu.{vcpu}.halted", BOOLEAN, vcpu & 1),
        ]
    params += [_param("net.count", UINT, 1), _param("net.0.name", STRING, f"vnet{index}")]
    params += [
        _param(f"net.0.{way}.{what}", ULLONG, index)
        for way in ("rx", "tx")
        for what in ("bytes", "pkts", "errs")
    ]
    params.append(_param("perf.cache_misses", DOUBLE, index / 3))
    params += _qemu_block_params(index)
    params += [_param("dirtyrate.calc_status", INT, 0), _param("dirtyrate.megabytes", LLONG, index)]
    return params[:60]


def _mixed_length(index: int) -> int:
    return 60 - index % 48


MIXED_PARAMS = sum(_mixed_length(index) for index in range(1000))


def stats_reply(count: int, shape: str) -> bytes:
    """Return the reply of CONNECT_GET_ALL_DOMAIN_STATS: ``count`` records of 60 parameters.

    ``shape`` is "iothread" (numbers alone), "qemu" (with strings) or "mixed" (48 record shapes).
    """
    records = []
    for index in range(count):
        params = iothread_params(index) if shape == "iothread" else qemu_params(index)
        if shape == "mixed":
            params = params[: _mixed_length(index)]
        records.append(_domain(index) + struct.pack(">I", len(params)) + b"".join(params))
    return struct.pack(">I", count) + b"".join(records)
