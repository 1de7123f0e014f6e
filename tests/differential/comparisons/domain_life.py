"""Starting, stopping, saving and dumping domains; a 16 MiB one is used that nothing boots in."""

from __future__ import annotations

from tests.differential.comparison import (
    Comparison,
    Do,
    FileArgument,
    See,
    SocketArgument,
    StreamArgument,
)
from tests.differential.comparisons.domain_changes import OTHER, without_id
from tests.differential.writing import act, ask, reading, scenario

__all__ = ["COMPARISONS"]

CONFIG = 2
PAUSED = 1
MEMORY_ONLY = 16
_STATE = See(OTHER, "state")
_ACTIVE = See(OTHER, "isActive")
_DEFINE = Do("connection", "defineXML", ("$other_xml",))
_START = Do(OTHER, "create")
_GONE = (
    Do(OTHER, "destroy"),
    Do(OTHER, "undefineFlags", (1,)),
    Do(OTHER, "undefine"),
)

_LIFECYCLE = (
    scenario(
        "defined, started, stopped and dropped",
        "test qemu",
        ask("Connection.define_domain", "defineXML", "$other_xml"),
        See(OTHER, "XMLDesc"),
        act("Domain.create", "create", on=OTHER),
        _STATE,
        ask("Domain.create", "create", on=OTHER, outcome="refusal"),
        act("Domain.suspend", "suspend", on=OTHER),
        _STATE,
        act("Domain.resume", "resume", on=OTHER),
        _STATE,
        act("Domain.destroy", "destroy", on=OTHER),
        _STATE,
        ask("Domain.destroy", "destroy", on=OTHER, outcome="refusal"),
        act("Domain.undefine", "undefine", on=OTHER),
        _STATE,
        afterwards=_GONE,
    ),
    scenario(
        "defined and started with flags",
        "?test qemu",
        ask("Connection.define_domain", "defineXMLFlags", "$other_xml", 1),
        act("Domain.create", "createWithFlags", PAUSED, on=OTHER),
        _STATE,
        act("Domain.destroy", "destroyFlags", 1, on=OTHER),
        _STATE,
        act("Domain.undefine", "undefineFlags", 1, on=OTHER),
        _STATE,
        afterwards=_GONE,
    ),
    scenario(
        "transient",
        "test qemu",
        ask("Connection.create_domain", "createXML", "$other_xml", 0, both=without_id),
        See(OTHER, "isPersistent"),
        act("Domain.set_autostart", "setAutostart", True, on=OTHER, outcome="either"),
        act("Domain.destroy", "destroy", on=OTHER),
        _STATE,
        afterwards=_GONE,
    ),
    scenario(
        "transient, with files",
        "test-only !qemu",
        ask(
            "Connection.create_domain_with_files",
            "createXMLWithFiles",
            "$other_xml",
            [FileArgument("/dev/null")],
            0,
            both=without_id,
        ),
        afterwards=_GONE,
    ),
    scenario(
        "started with files",
        "test-only !qemu",
        _DEFINE,
        act(
            "Domain.create_with_files", "createWithFiles", [FileArgument("/dev/null")], 0, on=OTHER
        ),
        afterwards=_GONE,
    ),
    scenario(
        "bad definitions",
        "!test !qemu",
        ask("Connection.define_domain", "defineXML", "<domain>"),
        ask("Connection.create_domain", "createXML", "<domain type='qemu'/>", 0),
    ),
    scenario(
        "asked to shut down and to reboot, and reset",
        "test qemu",
        _DEFINE,
        _START,
        act("Domain.reset", "reset", 0, on=OTHER, outcome="either"),
        act("Domain.inject_nmi", "injectNMI", 0, on=OTHER, outcome="either"),
        act(
            "Domain.send_key",
            "sendKey",
            0,
            10,
            [28, 30],
            0,
            on=OTHER,
            binding_args=(0, 10, [28, 30], 2, 0),
        ),
        act(
            "Domain.send_process_signal", "sendProcessSignal", 1, 10, 0, on=OTHER, outcome="either"
        ),
        act("Domain.reboot", "reboot", 0, on=OTHER),
        _STATE,
        act("Domain.shutdown", "shutdown", on=OTHER),
        _STATE,
        afterwards=_GONE,
    ),
    scenario(
        "asked to shut down in a stated way",
        "test qemu",
        _DEFINE,
        _START,
        act("Domain.shutdown", "shutdownFlags", 1, on=OTHER, outcome="either"),
        _STATE,
        afterwards=_GONE,
    ),
    scenario(
        "sleep",
        "?test !qemu",
        _DEFINE,
        _START,
        act("Domain.pm_suspend_for_duration", "pMSuspendForDuration", 0, 0, 0, on=OTHER),
        _STATE,
        act("Domain.pm_wakeup", "pMWakeup", 0, on=OTHER),
        afterwards=_GONE,
    ),
)

_IMAGE = "$folder/other.save"

_SAVING = (
    scenario(
        "saved and restored",
        "test qemu",
        _DEFINE,
        _START,
        act("Domain.save", "save", _IMAGE, on=OTHER),
        _STATE,
        ask(
            "Connection.get_save_image_xml_description",
            "saveImageGetXMLDesc",
            _IMAGE,
            0,
            both=without_id,
        ),
        act(
            "Connection.define_save_image_xml",
            "saveImageDefineXML",
            _IMAGE,
            "$other_xml",
            0,
        ),
        act("Connection.restore_domain", "restore", _IMAGE),
        _STATE,
        ask("Connection.restore_domain", "restore", "$folder/none", outcome="refusal"),
        afterwards=_GONE,
    ),
    scenario(
        "saved and restored with flags",
        "?test qemu",
        _DEFINE,
        _START,
        act(
            "Domain.save",
            "saveFlags",
            _IMAGE,
            None,
            None,
            4,
            binding_args=(_IMAGE, None, 4),
            on=OTHER,
        ),
        _STATE,
        act(
            "Connection.restore_domain",
            "restoreFlags",
            _IMAGE,
            None,
            None,
            4,
            binding_args=(_IMAGE, None, 4),
        ),
        _STATE,
        act(
            "Domain.save",
            "saveParams",
            _IMAGE,
            None,
            {},
            0,
            binding_args=({"file": _IMAGE}, 0),
            on=OTHER,
        ),
        _STATE,
        act("Connection.restore_domain", "restore", _IMAGE),
        afterwards=_GONE,
    ),
    scenario(
        "saved where the daemon likes",
        "test qemu",
        _DEFINE,
        _START,
        ask("Domain.has_managed_save_image", "hasManagedSaveImage", 0, on=OTHER),
        act("Domain.managed_save", "managedSave", 0, on=OTHER),
        _STATE,
        ask("Domain.has_managed_save_image", "hasManagedSaveImage", 0, on=OTHER),
        ask(
            "Domain.managed_save_get_xml_description",
            "managedSaveGetXMLDesc",
            0,
            on=OTHER,
            both=without_id,
            outcome="either",
        ),
        act(
            "Domain.managed_save_define_xml",
            "managedSaveDefineXML",
            "$other_xml",
            0,
            on=OTHER,
            outcome="either",
        ),
        ask("Domain.undefine", "undefine", on=OTHER, outcome="refusal"),
        act("Domain.managed_save_remove", "managedSaveRemove", 0, on=OTHER),
        ask("Domain.has_managed_save_image", "hasManagedSaveImage", 0, on=OTHER),
        afterwards=_GONE,
    ),
    scenario(
        "its memory dumped",
        "test qemu",
        _DEFINE,
        _START,
        act(
            "Domain.core_dump", "coreDump", "$folder/core", MEMORY_ONLY, on=OTHER, outcome="either"
        ),
        act(
            "Domain.core_dump_format",
            "coreDumpWithFormat",
            "$folder/core",
            0,
            MEMORY_ONLY,
            on=OTHER,
            outcome="either",
        ),
        ask("Domain.core_dump", "coreDump", "/no/such/folder/core", 0, on=OTHER, outcome="refusal"),
        _STATE,
        afterwards=_GONE,
    ),
)

_CONSOLES = (
    reading(
        "!test qemu",
        "Domain.open_console",
        "openConsole",
        StreamArgument(),
        None,
        1,
        binding_args=(None, StreamArgument(), 1),
        theirs=lambda answer: [None, answer[1]],
    ),
    reading(
        "!test !qemu",
        "Domain.open_console",
        "openConsole",
        StreamArgument(),
        "serial9",
        0,
        binding_args=("serial9", StreamArgument(), 0),
    ),
    reading(
        "!test !qemu",
        "Domain.open_channel",
        "openChannel",
        StreamArgument(),
        "org.none",
        0,
        binding_args=("org.none", StreamArgument(), 0),
    ),
    reading("test qemu", "Domain.screenshot", "screenshot", StreamArgument(receive=-1), 0, 0),
    reading(
        "!test qemu",
        "Domain.open_graphics_fd",
        "openGraphicsFD",
        0,
        0,
        ours=lambda handle: None,
        theirs=lambda handle: None,
    ),
    reading("!test !qemu", "Domain.open_graphics_fd", "openGraphicsFD", 7, 0),
    reading(
        "qemu",
        "Domain.open_graphics",
        "openGraphics",
        0,
        SocketArgument(receive=12),
        0,
        theirs=lambda answer: [None, answer[1]],
    ),
    reading("!qemu", "Domain.open_graphics", "openGraphics", 7, SocketArgument(receive=12), 0),
)

COMPARISONS: tuple[Comparison, ...] = (*_LIFECYCLE, *_SAVING, *_CONSOLES)
