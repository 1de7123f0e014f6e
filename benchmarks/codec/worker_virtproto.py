"""virtproto's side: the same jobs through ``virtproto.open``, and decoding alone."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable

import virtproto
from benchmarks.canned import HEADER, REMOTE_PROGRAM
from benchmarks.codec import floor
from benchmarks.codec.workloads import CONNECT_GET_ALL_DOMAIN_STATS, CONNECT_LIST_ALL_DOMAINS
from virtproto.wire import remote

PROCEDURES = {"list": CONNECT_LIST_ALL_DOMAINS, "stats": CONNECT_GET_ALL_DOMAIN_STATS}


def fetch_payload(path: str, procedure: int) -> bytes:
    """Ask the canned daemon for the reply of ``procedure`` and return its payload."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(HEADER.pack(HEADER.size, REMOTE_PROGRAM, 1, procedure, 0, 0, 0))
        data = b""
        while len(data) < 4 or len(data) < int.from_bytes(data[:4], "big"):
            data += client.recv(1 << 20)
    return data[HEADER.size :]


def _stats(connection: virtproto.sync.Connection) -> object:
    args = remote.ConnectGetAllDomainStatsArgs(doms=[], stats=0, flags=0)
    reply = connection.call(remote.CONNECT_GET_ALL_DOMAIN_STATS, args)
    return [(record.dom, record.params.to_dict()) for record in reply.retStats]


class Jobs:
    """One prepared job per (name, socket)."""

    def __init__(self) -> None:
        self._prepared: dict[tuple[str, str], Callable[[], object]] = {}
        self._connections: dict[str, virtproto.sync.Connection] = {}

    def find(self, name: str, path: str) -> Callable[[], object]:
        """Return the job, connecting or fetching its bytes the first time."""
        key = (name, path)
        if key not in self._prepared:
            self._prepared[key] = self._prepare(name, path)
        return self._prepared[key]

    def _prepare(self, name: str, path: str) -> Callable[[], object]:
        base, _, kind = name.partition("-")
        if kind:
            payload = fetch_payload(path, PROCEDURES[base])
            if kind == "decode":
                message = (
                    remote.ConnectListAllDomainsRet
                    if base == "list"
                    else remote.ConnectGetAllDomainStatsRet
                )
                return lambda: message.unpack(payload)
            decode = floor.decode_domain_list if base == "list" else floor.decode_stats
            return lambda: decode(payload)
        if path not in self._connections:
            self._connections[path] = virtproto.open(f"test+unix:///default?socket={path}")
        connection = self._connections[path]
        return connection.list_all_domains if base == "list" else lambda: _stats(connection)


def main() -> None:
    """Answer ``{"job", "socket", "rounds"}`` lines with CPU and wall seconds of the whole job."""
    jobs = Jobs()
    for line in sys.stdin:
        request = json.loads(line)
        job = jobs.find(request["job"], request["socket"])
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(request["rounds"]):
            job()
        answer = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
