"""Which type each documented typed parameter has, by the set of parameters it belongs to.

A Python ``int`` says nothing of the five number types of the wire; these tables do. Names are the
daemon's own. What is not listed here is sent as the daemon's own reading of the parameter asks.
"""

from __future__ import annotations

from virtproto.xdr.typedparams import INT, LLONG, UINT, ULLONG

__all__ = ["KNOWN"]

KNOWN: dict[str, dict[str, int]] = {
    # Scheduling of a domain on its host (virDomainSetSchedulerParameters).
    "SCHEDULER": {
        "cpu_shares": ULLONG,
        "vcpu_period": ULLONG,
        "vcpu_quota": LLONG,
        "global_period": ULLONG,
        "global_quota": LLONG,
        "emulator_period": ULLONG,
        "emulator_quota": LLONG,
        "iothread_period": ULLONG,
        "iothread_quota": LLONG,
        "weight": UINT,
        "cap": UINT,
        "reservation": LLONG,
        "limit": LLONG,
        "shares": INT,
    },
}
