"""Jobs on the disks of a running guest, its backup and its checkpoints."""

from __future__ import annotations

import re

from tests.differential.comparison import ADDRESSES, Address, Comparison, Do, Remove, See, Wait
from tests.differential.likeness import varying
from tests.differential.shapes import block_job, job_stats
from tests.differential.writing import act, ask, scenario

__all__ = ["COMPARISONS"]

SHALLOW, ACTIVE, PIVOT = 1, 4, 2
TRANSIENT = 4
DISK_ONLY, NO_METADATA = 16, 4
COMPLETED = 1

_OVERLAY = """<domainsnapshot><name>over</name><disks><disk name='vda' snapshot='external'>
<source file='$folder/over.qcow2'/></disk></disks></domainsnapshot>"""
_COPY = """<disk type='file'><source file='$folder/copy.qcow2'/><driver type='qcow2'/></disk>"""
_BACKUP = """<domainbackup><disks><disk name='vda' type='file'>
<target file='$folder/backup.qcow2'/><driver type='qcow2'/></disk></disks></domainbackup>"""
_PULL_BACKUP = """<domainbackup mode='pull'><server transport='unix' socket='$folder/backup.sock'/>
<disks><disk name='vda' backup='yes' type='file'><scratch file='$folder/scratch.qcow2'/></disk>
</disks></domainbackup>"""
_CHECKPOINT = (
    "<domaincheckpoint><name>{}</name><disks><disk name='vda'/></disks></domaincheckpoint>"
)

_DISK = "vda"
_SOURCE = See(
    "domain", "XMLDesc", (0,), lambda xml: re.findall(r"<source file='([^']*qcow2)'", xml)
)
_NO_OVERLAY, _NO_COPY = Remove("$folder/over.qcow2"), Remove("$folder/copy.qcow2")
_COVER = Do("domain", "snapshotCreateXML", (_OVERLAY, DISK_ONLY | NO_METADATA))
_READY = Wait("domain", "blockJobInfo", (_DISK, 0), lambda job: job and job["cur"] == job["end"])
_IDLE = Wait("domain", "blockJobInfo", (_DISK, 0), lambda job: not job)


def _flat_again() -> tuple[Do | Wait, ...]:
    """Return the steps after which the disk is the one file again that it was."""
    return (
        Do("domain", "blockJobAbort", (_DISK, 0)),
        _IDLE,
        Do("domain", "blockCommit", (_DISK, None, None, 0, ACTIVE)),
        Wait(
            "domain",
            "blockJobInfo",
            (_DISK, 0),
            lambda job: not job or job["cur"] == job["end"] > 0,
        ),
        Do("domain", "blockJobAbort", (_DISK, PIVOT)),
        _IDLE,
    )


def _checkpoint(name: str) -> Address:
    above = ADDRESSES["domain"]
    return Address(
        (*above.binding, ("checkpointLookupByName", name)),
        (*above.ours, ("get_checkpoint_by_name", name)),
    )


def _without_time(xml: str) -> str:
    return re.sub(r"<creationTime>\d+", "<creationTime>", xml)


_BLOCK_JOBS = (
    scenario(
        "an overlay committed",
        "qemu",
        _NO_OVERLAY,
        _COVER,
        _SOURCE,
        act("Domain.block_commit", "blockCommit", _DISK, None, None, 0, ACTIVE),
        _READY,
        ask(
            "Domain.get_block_job_info",
            "blockJobInfo",
            _DISK,
            0,
            ours=block_job,
            by=varying("cur", "end"),
        ),
        ask(
            "Domain.block_commit",
            "blockCommit",
            _DISK,
            None,
            None,
            0,
            ACTIVE,
            outcome="refusal",
        ),
        act("Domain.set_block_job_speed", "blockJobSetSpeed", _DISK, 100, 0),
        ask(
            "Domain.get_block_job_info",
            "blockJobInfo",
            _DISK,
            0,
            ours=block_job,
            by=varying("cur", "end"),
        ),
        act("Domain.abort_block_job", "blockJobAbort", _DISK, PIVOT),
        _SOURCE,
        ask("Domain.get_block_job_info", "blockJobInfo", _DISK, 0, ours=block_job),
        afterwards=_flat_again(),
    ),
    scenario(
        "a disk copied, and the copy left",
        "qemu",
        _NO_COPY,
        act("Domain.block_copy", "blockCopy", _DISK, _COPY, {"bandwidth": 1 << 30}, TRANSIENT),
        _READY,
        ask(
            "Domain.get_block_job_info",
            "blockJobInfo",
            _DISK,
            1,
            ours=block_job,
            by=varying("cur", "end"),
        ),
        act("Domain.abort_block_job", "blockJobAbort", _DISK, 0),
        _SOURCE,
        ask("Domain.abort_block_job", "blockJobAbort", _DISK, 0, outcome="refusal"),
        afterwards=_flat_again(),
    ),
    scenario(
        "a chain pulled flat",
        "qemu",
        ask("Domain.block_pull", "blockPull", "vdz", 0, 0, outcome="refusal"),
        act("Domain.block_pull", "blockPull", _DISK, 0, 0),
        _IDLE,
        _SOURCE,
        act("Domain.block_rebase", "blockRebase", _DISK, None, 0, 0),
        _IDLE,
        ask("Domain.block_rebase", "blockRebase", _DISK, "/none", 0, 0, outcome="refusal"),
        _SOURCE,
    ),
)

_BACKUPS = (
    scenario(
        "a backup pushed, with a checkpoint",
        "qemu",
        Remove("$folder/backup.qcow2"),
        act(
            "Domain.backup_begin",
            "backupBegin",
            _BACKUP,
            _CHECKPOINT.format("kept"),
            0,
        ),
        Wait("domain", "jobInfo", (), lambda info: info[0] == 0),
        See("domain", "listAllCheckpoints"),
        ask(
            "Domain.get_job_stats",
            "jobStats",
            COMPLETED,
            ours=job_stats,
            by=varying("time_elapsed"),
        ),
        ask("Domain.backup_get_xml_description", "backupGetXMLDesc", 0, outcome="refusal"),
        afterwards=[
            Do(_checkpoint("kept"), "delete"),
        ],
    ),
    scenario(
        "a backup to be pulled, and its end",
        "qemu",
        Remove("$folder/backup.sock"),
        Remove("$folder/scratch.qcow2"),
        act("Domain.backup_begin", "backupBegin", _PULL_BACKUP, None, 0),
        ask(
            "Domain.backup_get_xml_description",
            "backupGetXMLDesc",
            0,
            both=lambda xml: re.sub(r" index='\d+'", "", xml),
        ),
        ask("Domain.get_job_info", "jobInfo", by=varying("1")),
        ask("Domain.get_job_stats", "jobStats", 0, ours=job_stats, by=varying("time_elapsed")),
        act("Domain.abort_job", "abortJob"),
        Wait("domain", "jobInfo", (), lambda info: info[0] == 0),
        afterwards=[Do("domain", "abortJob")],
    ),
)

_MIGRATION_TERMS = (
    scenario(
        "terms of a migration to come",
        "!test qemu",
        act("Domain.migrate_set_max_speed", "migrateSetMaxSpeed", 100, 0),
        See("domain", "migrateGetMaxSpeed"),
        ask("Domain.migrate_get_max_speed", "migrateGetMaxSpeed", 0),
        act("Domain.migrate_set_max_downtime", "migrateSetMaxDowntime", 500, 0),
        See("domain", "migrateGetMaxDowntime"),
        act(
            "Domain.migrate_set_compression_cache",
            "migrateSetCompressionCache",
            1 << 25,
            0,
        ),
        ask("Domain.migrate_get_compression_cache", "migrateGetCompressionCache", 0),
        afterwards=[
            Do("domain", "migrateSetMaxSpeed", (9007199254740991,)),
            Do("domain", "migrateSetMaxDowntime", (300,)),
            Do("domain", "migrateSetCompressionCache", (1 << 26,)),
        ],
    ),
)

_CHECKPOINTS = (
    scenario(
        "checkpoints, one upon the other",
        "qemu",
        Do("domain", "checkpointCreateXML", (_CHECKPOINT.format("one"),)),
        ask("Domain.create_checkpoint", "checkpointCreateXML", _CHECKPOINT.format("two"), 0),
        ask("Domain.create_checkpoint", "checkpointCreateXML", "<none/>", 0, outcome="refusal"),
        ask("Domain.list_all_checkpoints", "listAllCheckpoints", 0),
        ask("Domain.get_checkpoint_by_name", "checkpointLookupByName", "two", 0),
        ask("Domain.get_checkpoint_by_name", "checkpointLookupByName", "x", 0, outcome="refusal"),
        ask("DomainCheckpoint.get_name", "getName", on=_checkpoint("two")),
        ask("DomainCheckpoint.get_domain", "getDomain", on=_checkpoint("two")),
        ask("DomainCheckpoint.get_parent", "getParent", 0, on=_checkpoint("two")),
        ask("DomainCheckpoint.list_all_children", "listAllChildren", 0, on=_checkpoint("one")),
        ask(
            "DomainCheckpoint.get_xml_description",
            "getXMLDesc",
            0,
            on=_checkpoint("two"),
            both=_without_time,
        ),
        act("DomainCheckpoint.delete", "delete", 0, on=_checkpoint("two")),
        See("domain", "listAllCheckpoints"),
        act("DomainCheckpoint.delete", "delete", on=_checkpoint("one")),
        afterwards=[Do(_checkpoint("two"), "delete"), Do(_checkpoint("one"), "delete")],
    ),
)

COMPARISONS: tuple[Comparison, ...] = (*_BLOCK_JOBS, *_BACKUPS, *_CHECKPOINTS, *_MIGRATION_TERMS)
