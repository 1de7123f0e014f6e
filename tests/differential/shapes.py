"""Answers of the two sides brought into one shape, where theirs differ by design.

Responsible for nothing but shape: no function here may hide a difference in what was said.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "block_job",
    "block_operations",
    "fixed_block_stats",
    "interface_addresses",
    "job_stats",
]


def interface_addresses(answer: Any) -> Any:
    """Return our interfaces as the C binding's dict."""
    return {
        nic.name: {
            "addrs": [
                {"addr": a.address, "prefix": a.prefix, "type": int(a.type)} for a in nic.addresses
            ]
            or None,
            "hwaddr": nic.mac,
        }
        for nic in answer
    }


def block_job(answer: Any) -> Any:
    """Return our block job as the C binding's dict, which is empty where there is none."""
    return {} if answer is None else answer._asdict()


def block_operations(answer: Any) -> Any:
    """Return the C binding's block statistics with the two counts also under their other names."""
    also = {"rd_req": "rd_operations", "wr_req": "wr_operations"}
    return {**answer, **{name: answer[key] for name, key in also.items()}}


def fixed_block_stats(answer: Any) -> Any:
    """Return the C binding's five block statistics by name."""
    return dict(zip(("rd_req", "rd_bytes", "wr_req", "wr_bytes", "errs"), answer, strict=True))


def job_stats(answer: Any) -> Any:
    """Return our pair of a job's type and statistics as the C binding's one dict."""
    kind, stats = answer
    return {"type": int(kind), **stats}
