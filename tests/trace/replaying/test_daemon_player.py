"""What a played daemon says to each packet of a client's."""

from __future__ import annotations

from tests.trace.replaying.tape import (
    CALL,
    CONTINUE,
    ERROR,
    HOLE,
    MAIL,
    OK,
    REPLY,
    STREAM,
    WEB,
    Tape,
    found,
    lookup,
    packet,
)
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.trace.recording import LEFT_OUT
from virtproto.trace.replaying.daemon_player import DaemonPlayer
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.scripts import Scripts
from virtproto.wire import remote
from virtproto.wire.rpc import StreamHole

LOOKUP = "DOMAIN_LOOKUP_BY_NAME"
STATE = "DOMAIN_GET_STATE"
UPLOAD, DOWNLOAD = "STORAGE_VOL_UPLOAD", "STORAGE_VOL_DOWNLOAD"
REGISTER = "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"
LIFECYCLE = "DOMAIN_EVENT_CALLBACK_LIFECYCLE"


class Stage:
    """One client of a played daemon."""

    def __init__(self, tape: Tape, **manner: bool) -> None:
        self.told: list[Deviation] = []
        loose = manner.pop("loose", False)
        scripts = Scripts(tape.recalled(), loose=loose)
        self.player = DaemonPlayer(scripts.choose, self.told.append, **manner)

    def say(self, what: Packet, now: float = 0.0) -> list[Packet]:
        self.player.receive(what, now)
        return self.hear(now)

    def hear(self, now: float = 0.0) -> list[Packet]:
        reader = PacketReader()
        for said in self.player.take(now):
            reader.feed(said.pack(carries_descriptors=False))
        return list(iter(reader.next_packet, None))

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.told]


def _state(state: int) -> remote.DomainGetStateRet:
    return remote.DomainGetStateRet(state=state, reason=0)


_ASK_STATE = remote.DomainGetStateArgs(dom=WEB, flags=0)


def test_a_call_is_answered_as_recorded_with_its_own_serial() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB), serial=7))
    (reply,) = stage.say(packet(LOOKUP, CALL, lookup("web"), serial=99))
    assert reply == packet(LOOKUP, REPLY, found(WEB), serial=99)
    assert stage.told == []


def test_calls_may_come_in_another_order() -> None:
    tape = Tape().call(LOOKUP, lookup("web"), serial=1).call(LOOKUP, lookup("mail"), serial=2)
    tape.reply(LOOKUP, found(MAIL), serial=2).reply(LOOKUP, found(WEB), serial=1)
    stage = Stage(tape)
    assert (
        stage.say(packet(LOOKUP, CALL, lookup("mail"), serial=1))[0].payload == found(MAIL).pack()
    )
    assert stage.say(packet(LOOKUP, CALL, lookup("web"), serial=2))[0].payload == found(WEB).pack()
    assert stage.told == []


def test_what_is_asked_again_is_answered_as_at_that_time() -> None:
    tape = Tape()
    for serial, state in enumerate((5, 5, 1)):
        if state == 1:
            tape.ask("DOMAIN_CREATE", remote.DomainCreateArgs(dom=WEB), serial=50)
        tape.ask(STATE, _ASK_STATE, _state(state), serial=serial)
    stage = Stage(tape)
    ask = packet(STATE, CALL, _ASK_STATE)
    assert stage.say(ask)[0].payload == _state(5).pack()
    # He asks once where he asked twice when it was recorded: now it runs, all the same.
    stage.say(packet("DOMAIN_CREATE", CALL, remote.DomainCreateArgs(dom=WEB)))
    assert stage.say(ask)[0].payload == _state(1).pack()


def test_a_call_made_too_often_gets_the_last_answer_and_is_told_mildly() -> None:
    for strict in (False, True):
        stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)), strict=strict)
        ask = packet(LOOKUP, CALL, lookup("web"))
        assert stage.say(ask) == stage.say(ask)
        assert stage.texts == ["made more often than recorded; answered as the last time"]
        assert stage.told[0].mild is not strict


def test_other_arguments_are_refused_and_the_nearest_call_named() -> None:
    tape = Tape().ask(LOOKUP, lookup("mail"), found(MAIL)).ask(LOOKUP, lookup("web"), found(WEB))
    stage = Stage(tape)
    (reply,) = stage.say(packet(LOOKUP, CALL, lookup("wob"), serial=4))
    assert (reply.type, reply.status, reply.serial) == (REPLY, ERROR, 4)
    error = remote.Error.unpack(reply.payload)
    assert error.message is not None
    assert "not in the recording" in error.message
    assert 'name is "wob", recorded was "mail"' in stage.texts[0]
    assert stage.told[0].lines()[0].startswith(f'message 1, {LOOKUP}(name="wob"): not in')


def test_loose_answers_calls_with_other_arguments() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)), loose=True)
    assert stage.say(packet(LOOKUP, CALL, lookup("wob")))[0].payload == found(WEB).pack()
    assert len(stage.told) == 1
    assert not stage.told[0].mild
    assert stage.texts[0].endswith('recorded was "web"; answered all the same')


def test_a_procedure_that_is_not_there_is_refused() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)))
    (reply,) = stage.say(packet("CONNECT_GET_HOSTNAME", CALL))
    assert reply.status == ERROR
    assert stage.texts == ["not in the recording, and no other call of this procedure"]


def test_errors_are_played_as_they_were() -> None:
    stage = Stage(Tape().call(LOOKUP, lookup("x")).refusal(LOOKUP, "no domain 'x'"))
    (reply,) = stage.say(packet(LOOKUP, CALL, lookup("x")))
    assert remote.Error.unpack(reply.payload).message == "no domain 'x'"
    assert stage.told == []


def test_opening_takes_no_authentication_and_unknown_features_are_none() -> None:
    feature = "CONNECT_SUPPORTS_FEATURE"
    yes, args = remote.ConnectSupportsFeatureRet(supported=1), remote.ConnectSupportsFeatureArgs
    tape = Tape().ask("AUTH_LIST", b"", remote.AuthListRet(types=[1]))
    tape.ask(feature, args(feature=14), yes).opened()
    stage = Stage(tape)
    (listed,) = stage.say(packet("AUTH_LIST", CALL))
    assert remote.AuthListRet.unpack(listed.payload).types == [0]
    for number, answer in ((14, 1), (10, 0), (14, 1)):
        (reply,) = stage.say(packet(feature, CALL, args(feature=number)))
        assert remote.ConnectSupportsFeatureRet.unpack(reply.payload).supported == answer
    opened = stage.say(packet("CONNECT_OPEN", CALL, remote.ConnectOpenArgs(name="x:///", flags=6)))
    assert opened[0].status == OK
    assert [each.mild for each in stage.told] == [True]
    (uri,) = stage.say(packet("CONNECT_GET_URI", CALL))
    assert remote.ConnectGetUriRet.unpack(uri.payload).uri == "test:///default"
    stage.say(packet("CONNECT_CLOSE", CALL))
    assert stage.player.closing


def test_flags_of_opening_are_nothing_to_tell() -> None:
    stage = Stage(Tape().opened())
    args = remote.ConnectOpenArgs(name="test:///default", flags=6)
    assert stage.say(packet("CONNECT_OPEN", CALL, args))[0].status == OK
    assert stage.told == []


def test_a_masked_call_is_found_whatever_the_secret() -> None:
    def args(value: bytes) -> remote.SecretSetValueArgs:
        secret = remote.NonnullSecret(uuid=b"s" * 16, usageType=0, usageID="")
        return remote.SecretSetValueArgs(secret=secret, value=value, flags=0)

    tape = Tape().call("SECRET_SET_VALUE", args(b"xxxx"), masked=True).reply("SECRET_SET_VALUE")
    stage = Stage(tape)
    assert stage.say(packet("SECRET_SET_VALUE", CALL, args(b"top secret")))[0].status == OK
    assert stage.told == []


def test_a_refused_call_shows_no_secret() -> None:
    stage = Stage(Tape().opened())
    secret = remote.NonnullSecret(uuid=b"s" * 16, usageType=0, usageID="")
    args = remote.SecretSetValueArgs(secret=secret, value=b"hunter2", flags=0)
    (reply,) = stage.say(packet("SECRET_SET_VALUE", CALL, args))
    said = repr(reply.payload) + "".join(stage.told[0].lines()) + repr(stage.told[0].plain())
    assert "hunter2" not in said


def _lifecycle(callback: int, event: int) -> remote.DomainEventCallbackLifecycleMsg:
    msg = remote.DomainEventLifecycleMsg(dom=WEB, event=event, detail=0)
    return remote.DomainEventCallbackLifecycleMsg(callbackID=callback, msg=msg)


def _with_events() -> Tape:
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(eventID=0, dom=None)
    ret = remote.ConnectDomainEventCallbackRegisterAnyRet(callbackID=3)
    tape = Tape().opened().ask(REGISTER, args, ret, serial=1)
    tape.call("DOMAIN_SUSPEND", remote.DomainSuspendArgs(dom=WEB), serial=2)
    tape.event(LIFECYCLE, _lifecycle(3, 3)).reply("DOMAIN_SUSPEND", serial=2)
    return tape.event(LIFECYCLE, _lifecycle(3, 4))


def test_events_come_with_the_call_that_they_came_with() -> None:
    stage = Stage(_with_events())
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(eventID=0, dom=None)
    assert [each.type for each in stage.say(packet(REGISTER, CALL, args))] == [REPLY]
    said = stage.say(packet("DOMAIN_SUSPEND", CALL, remote.DomainSuspendArgs(dom=WEB), serial=8))
    assert [(each.type, each.serial) for each in said] == [(2, 1), (REPLY, 8), (2, 1)]


def test_events_that_nobody_asked_for_do_not_come() -> None:
    stage = Stage(_with_events())
    said = stage.say(packet("DOMAIN_SUSPEND", CALL, remote.DomainSuspendArgs(dom=WEB)))
    assert [each.type for each in said] == [REPLY]
    assert stage.player.next_due_s is None


def test_events_come_in_time_where_the_call_before_them_does_not() -> None:
    stage = Stage(_with_events())
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(eventID=0, dom=None)
    stage.say(packet(REGISTER, CALL, args), now=100.0)
    due = stage.player.next_due_s
    assert due is not None
    assert 100 < due < 103
    assert stage.hear(now=100.0) == []
    assert len(stage.hear(now=105.0)) == 2


def test_pace_takes_as_long_as_it_took() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)), pace=True)
    assert stage.say(packet(LOOKUP, CALL, lookup("web")), now=5.0) == []
    due = stage.player.next_due_s
    assert due is not None
    assert 5.009 < due < 5.011
    assert len(stage.hear(now=due)) == 1


_VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")


def _upload() -> Tape:
    args = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=1)
    tape = Tape().ask(UPLOAD, args)
    tape.stream(UPLOAD, b"ab", from_client=True).stream(UPLOAD, b"cd", from_client=True)
    tape.stream(UPLOAD, StreamHole(length=4, flags=0).pack(), from_client=True, kind=HOLE)
    tape.stream(UPLOAD, from_client=True, status=OK)
    return tape.stream(UPLOAD, from_client=False, status=OK)


_UPLOAD_ARGS = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=1)
_FINISH = packet(UPLOAD, STREAM, serial=5)


def test_an_upload_may_be_cut_otherwise_and_is_confirmed() -> None:
    stage = Stage(_upload())
    stage.say(packet(UPLOAD, CALL, _UPLOAD_ARGS, serial=5))
    assert stage.say(packet(UPLOAD, STREAM, b"abcd", serial=5, status=CONTINUE)) == []
    hole = StreamHole(length=4, flags=0).pack()
    assert stage.say(packet(UPLOAD, HOLE, hole, serial=5, status=CONTINUE)) == []
    assert stage.say(_FINISH) == [_FINISH]
    assert stage.told == []


def test_an_upload_of_other_data_is_told_with_its_place() -> None:
    stage = Stage(_upload())
    stage.say(packet(UPLOAD, CALL, _UPLOAD_ARGS, serial=5))
    stage.say(packet(UPLOAD, STREAM, b"abxd", serial=5, status=CONTINUE))
    stage.say(_FINISH)
    assert stage.texts == ["its stream's data: byte 2: the data differ from what was recorded"]


def test_a_stream_that_is_aborted_is_confirmed_all_the_same() -> None:
    stage = Stage(_upload())
    stage.say(packet(UPLOAD, CALL, _UPLOAD_ARGS, serial=5))
    said = stage.say(packet(UPLOAD, STREAM, serial=5, status=ERROR))
    assert [(each.type, each.status) for each in said] == [(STREAM, OK)]


def test_a_download_comes_whole_and_ends() -> None:
    args = remote.StorageVolDownloadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().ask(DOWNLOAD, args)
    tape.stream(DOWNLOAD, b"data", from_client=False)
    tape.stream(DOWNLOAD, b"\0" * 6, from_client=False, flags=LEFT_OUT)
    tape.stream(DOWNLOAD, from_client=False)
    tape.stream(DOWNLOAD, from_client=True, status=OK)
    tape.stream(DOWNLOAD, from_client=False, status=OK)
    stage = Stage(tape)
    said = stage.say(packet(DOWNLOAD, CALL, args, serial=3))
    assert [each.payload for each in said] == [b"", b"data", bytes(6), b""]
    assert stage.say(packet(DOWNLOAD, STREAM, serial=3))[0].status == OK


def test_a_console_answers_what_is_typed() -> None:
    console = "DOMAIN_OPEN_CONSOLE"
    args = remote.DomainOpenConsoleArgs(dom=WEB, dev_name=None, flags=0)
    tape = Tape().ask(console, args).stream(console, b"login: ", from_client=False)
    tape.stream(console, b"root\n", from_client=True).stream(console, b"# ", from_client=False)
    stage = Stage(tape)
    assert [each.payload for each in stage.say(packet(console, CALL, args))] == [b"", b"login: "]
    assert stage.say(packet(console, STREAM, b"roo", status=CONTINUE)) == []
    (prompt,) = stage.say(packet(console, STREAM, b"t\n", status=CONTINUE))
    assert prompt.payload == b"# "


def test_a_daemon_that_closed_closes_where_it_did() -> None:
    tape = Tape().opened().call(LOOKUP, lookup("web")).end(from_client=False)
    stage = Stage(tape)
    assert stage.say(packet(LOOKUP, CALL, lookup("web"))) == []
    assert stage.player.closing
    assert stage.told == []


def test_a_recording_that_ends_too_early_says_so() -> None:
    stage = Stage(Tape().opened().call(LOOKUP, lookup("web")))
    (reply,) = stage.say(packet(LOOKUP, CALL, lookup("web")))
    assert reply.status == ERROR
    assert stage.texts == ["the recording ends before this call was answered"]


def test_pings_are_answered() -> None:
    stage = Stage(Tape().opened())
    (pong,) = stage.say(Packet(0x6B656570, 1, 1, 2, 0, 0))
    assert (pong.procedure, pong.serial) == (2, 0)


def test_a_hundred_calls_in_flight_in_any_order() -> None:
    tape = Tape()
    names = [f"d{index}" for index in range(100)]
    for index, name in enumerate(names):
        tape.call(LOOKUP, lookup(name), serial=index)
    for index, name in reversed(list(enumerate(names))):
        domain = remote.NonnullDomain(name=name, uuid=bytes(16), id=index)
        tape.reply(LOOKUP, found(domain), serial=index)
    stage = Stage(tape)
    for index in sorted(range(100), key=lambda number: number * 37 % 100):
        (reply,) = stage.say(packet(LOOKUP, CALL, lookup(names[index]), serial=index + 500))
        assert remote.DomainLookupByNameRet.unpack(reply.payload).dom.id == index
    assert stage.told == []
    script = stage.player.script
    assert script is not None
    assert script.unplayed == []


def test_clients_get_the_conversation_that_began_as_theirs() -> None:
    tape = Tape().opened("test:///default", on=1).opened("qemu:///system", on=2)
    scripts = Scripts(tape.recalled())
    players = [DaemonPlayer(scripts.choose, lambda _told: None) for _ in range(3)]
    for player, name in zip(players, ("qemu:///system", "x:///", "x:///"), strict=True):
        args = remote.ConnectOpenArgs(name=name, flags=0)
        player.receive(packet("CONNECT_OPEN", CALL, args), 0.0)
    chosen = [each.script.number for each in players if each.script is not None]
    # The third finds all played, and the first begins anew.
    assert chosen == [2, 1, 1]
