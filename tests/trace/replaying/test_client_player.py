"""What a played client sends, when, and what is told of the answers."""

from __future__ import annotations

from tests.trace.replaying.tape import (
    CALL,
    CONTINUE,
    ERROR,
    MAIL,
    MESSAGE,
    REPLY,
    STREAM,
    WEB,
    Tape,
    found,
    lookup,
    packet,
)
from virtproto.protocol.framing import Packet
from virtproto.protocol.server import pack_error
from virtproto.trace.replaying.client_player import ClientPlayer
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.judging import Judge
from virtproto.trace.replaying.stand_ins import StandIns
from virtproto.wire import remote

LOOKUP, STATE = "DOMAIN_LOOKUP_BY_NAME", "DOMAIN_GET_STATE"
UPLOAD = "STORAGE_VOL_UPLOAD"
REGISTER = "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"
DEREGISTER = "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY"
LIFECYCLE = "DOMAIN_EVENT_CALLBACK_LIFECYCLE"
_VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")


class Stage:
    """A played client, step by step."""

    def __init__(self, tape: Tape, *, ignore: tuple[str, ...] = (), strict: bool = False) -> None:
        self.told: list[Deviation] = []
        self.judge = Judge(self.told.append, ignore=ignore, strict=strict)
        conversation = tape.recalled().conversations[1]
        self.player = ClientPlayer(conversation, self.judge, StandIns())
        self._steps = iter(self.player.steps)

    def next(self) -> Packet | None:
        return self.player.send(next(self._steps))

    def sent(self) -> Packet:
        said = self.next()
        assert said is not None
        return said

    def answer(self, name: str, payload: object = b"", *, to: Packet, status: int = 0) -> None:
        self.player.receive(packet(name, REPLY, payload, serial=to.serial, status=status))

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.told]


def test_calls_are_made_as_recorded_and_equal_answers_are_no_matter() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)))
    call = stage.sent()
    assert (call.type, call.payload) == (CALL, lookup("web").pack())
    stage.answer(LOOKUP, found(WEB), to=call)
    stage.player.finish()
    assert stage.told == []
    assert stage.judge.compared == 1


def test_a_call_waits_for_the_answers_that_came_before_it() -> None:
    tape = Tape().call(LOOKUP, lookup("web"), serial=1).call(LOOKUP, lookup("mail"), serial=2)
    tape.reply(LOOKUP, found(WEB), serial=1).call("CONNECT_GET_HOSTNAME", serial=3)
    tape.reply(LOOKUP, found(MAIL), serial=2)
    stage = Stage(tape)
    first, second, third = stage.player.steps
    assert (len(first.after), len(second.after)) == (0, 0)
    web, _mail = stage.sent(), stage.sent()
    (wanted,) = third.after
    assert stage.player.is_missing(wanted)
    stage.answer(LOOKUP, found(WEB), to=web)
    assert not stage.player.is_missing(wanted)


def test_fields_that_differ_are_told_but_for_what_a_daemon_gives_out() -> None:
    other = remote.NonnullDomain(name="web", uuid=b"o" * 16, id=5)
    tape = Tape().ask(LOOKUP, lookup("web"), found(WEB))
    for ignore, strict, paths, passed_over in (
        ((), False, ["dom.uuid"], 1),
        (("*.uuid",), False, [], 2),
        ((), True, ["dom.uuid", "dom.id"], 0),
    ):
        stage = Stage(tape, ignore=ignore, strict=strict)
        stage.answer(LOOKUP, found(other), to=stage.sent())
        told = [field.path for each in stage.told for field in each.differences]
        assert told == paths
        assert stage.judge.passed_over == passed_over


def test_an_error_instead_of_success_is_told() -> None:
    stage = Stage(Tape().ask(LOOKUP, lookup("web"), found(WEB)))
    stage.answer(LOOKUP, pack_error("gone", code=42), to=stage.sent(), status=ERROR)
    assert stage.texts == ['recorded was success; now it is error 42, "gone"']


def test_other_errors_are_compared_by_their_fields() -> None:
    stage = Stage(Tape().call(LOOKUP, lookup("x")).refusal(LOOKUP, "no x", code=42))
    stage.answer(LOOKUP, pack_error("no x!", code=42), to=stage.sent(), status=ERROR)
    assert [each.path for each in stage.told[0].differences] == ["message"]


def test_objects_that_the_daemon_made_anew_are_named_anew() -> None:
    tape = Tape().ask(LOOKUP, lookup("web"), found(WEB), serial=1)
    tape.ask(STATE, remote.DomainGetStateArgs(dom=WEB, flags=0), serial=2)
    stage = Stage(tape)
    other = remote.NonnullDomain(name="web", uuid=b"o" * 16, id=5)
    stage.answer(LOOKUP, found(other), to=stage.sent())
    assert remote.DomainGetStateArgs.unpack(stage.sent().payload).dom == other


def test_registrations_and_events_go_by_their_new_numbers() -> None:
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(eventID=0, dom=None)
    ret = remote.ConnectDomainEventCallbackRegisterAnyRet
    end = remote.ConnectDomainEventCallbackDeregisterAnyArgs
    event = remote.DomainEventLifecycleMsg(dom=WEB, event=3, detail=0)
    tape = Tape().ask(REGISTER, args, ret(callbackID=1), serial=1)
    tape.event(LIFECYCLE, remote.DomainEventCallbackLifecycleMsg(callbackID=1, msg=event))
    tape.ask(DEREGISTER, end(callbackID=1), serial=2)
    stage = Stage(tape)
    stage.answer(REGISTER, ret(callbackID=77), to=stage.sent())
    wanted = stage.player.steps[1].after[-1]
    assert stage.player.is_missing(wanted)
    came = remote.DomainEventCallbackLifecycleMsg(callbackID=77, msg=event)
    stage.player.receive(packet(LIFECYCLE, MESSAGE, came))
    assert not stage.player.is_missing(wanted)
    assert end.unpack(stage.sent().payload).callbackID == 77
    assert stage.told == []


def test_events_that_do_not_come_and_those_that_should_not_are_told() -> None:
    event = remote.DomainEventLifecycleMsg(dom=WEB, event=3, detail=0)
    tape = Tape().ask("CONNECT_GET_HOSTNAME").event("DOMAIN_EVENT_LIFECYCLE", event)
    stage = Stage(tape)
    stage.player.give_up(stage.player.rest[-1], "nothing came for 1 s")
    stage.player.receive(packet("DOMAIN_EVENT_REBOOT", MESSAGE, remote.DomainEventRebootMsg(WEB)))
    stage.player.finish()
    assert stage.texts == [
        "the event did not come: nothing came for 1 s",
        "1 of these events came that the recording does not have",
    ]
    assert [each.mild for each in stage.told] == [False, True]


def test_being_let_in_and_masked_calls_are_left_out() -> None:
    tape = Tape().ask("AUTH_LIST", b"", remote.AuthListRet(types=[0]))
    secret = remote.NonnullSecret(uuid=b"s" * 16, usageType=0, usageID="")
    args = remote.SecretSetValueArgs(secret=secret, value=b"xxxx", flags=0)
    tape.call("SECRET_SET_VALUE", args, masked=True, serial=2)
    tape.reply("SECRET_SET_VALUE", serial=2)
    stage = Stage(tape)
    assert (stage.next(), stage.next()) == (None, None)
    assert stage.texts == ["left out: its secrets are overwritten in the recording"]
    assert stage.told[0].mild
    assert not any(stage.player.is_missing(each) for each in stage.player.rest)


def test_descriptors_cannot_be_sent_again() -> None:
    said = packet("DOMAIN_CREATE_WITH_FILES", 4)
    said.nfds = 1
    stage = Stage(Tape().put(said, from_client=True))
    assert stage.next() is None
    assert stage.texts == ["left out: the descriptors that went with it are not in a recording"]


def _upload() -> Tape:
    args = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().ask(UPLOAD, args).stream(UPLOAD, b"data", from_client=True)
    tape.stream(UPLOAD, from_client=True, status=0)
    return tape.stream(UPLOAD, from_client=False, status=0)


def test_streams_are_sent_with_the_serial_of_their_call() -> None:
    stage = Stage(_upload())
    call = stage.sent()
    stage.answer(UPLOAD, to=call)
    data, finish = stage.sent(), stage.sent()
    assert (data.type, data.status, data.payload) == (STREAM, CONTINUE, b"data")
    assert {data.serial, finish.serial} == {call.serial}
    (wanted,) = stage.player.rest
    assert stage.player.is_missing(wanted)
    stage.player.receive(packet(UPLOAD, STREAM, serial=call.serial))
    assert not stage.player.is_missing(wanted)
    assert stage.told == []


def test_a_stream_that_was_refused_is_not_written_to() -> None:
    stage = Stage(_upload())
    stage.answer(UPLOAD, pack_error("no", code=1), to=stage.sent(), status=ERROR)
    assert (stage.next(), stage.next()) == (None, None)
    assert not any(stage.player.is_missing(each) for each in stage.player.rest)
    assert len(stage.told) == 1


def test_a_stream_that_fails_now_is_told() -> None:
    stage = Stage(_upload())
    call = stage.sent()
    stage.answer(UPLOAD, to=call)
    error = pack_error("disk full", code=38)
    stage.player.receive(packet(UPLOAD, STREAM, error, serial=call.serial, status=ERROR))
    assert stage.texts == ['recorded was success; now it is error 38, "disk full"']
    assert stage.next() is None


def test_downloads_are_compared_wherever_they_are_cut() -> None:
    download = "STORAGE_VOL_DOWNLOAD"
    args = remote.StorageVolDownloadArgs(vol=_VOLUME, offset=0, length=0, flags=0)
    tape = Tape().ask(download, args).stream(download, b"abcdef", from_client=False)
    tape.stream(download, from_client=False).stream(download, from_client=True, status=0)
    for pieces, text in (
        ((b"abc", b"def", b""), None),
        ((b"abX", b"def", b""), "its stream: byte 2: the data differ from what was recorded"),
        ((b"abc", b""), "its stream: it ends after 3 bytes, 6 were recorded"),
        ((b"abcdefg", b""), "its stream: there is more than the 6 bytes that were recorded"),
    ):
        stage = Stage(tape)
        call = stage.sent()
        stage.answer(download, to=call)
        finish = stage.player.steps[1]
        assert any(stage.player.is_missing(each) for each in finish.after)
        for piece in pieces:
            said = packet(download, STREAM, piece, serial=call.serial, status=CONTINUE)
            stage.player.receive(said)
        assert not any(stage.player.is_missing(each) for each in finish.after)
        assert stage.texts == ([] if text is None else [text])


def test_a_lost_connection_is_told_once_for_what_waits_and_for_the_rest() -> None:
    tape = Tape().ask(LOOKUP, lookup("web"), found(WEB)).ask(LOOKUP, lookup("mail"), found(MAIL))
    stage = Stage(tape.ask("CONNECT_GET_HOSTNAME"))
    stage.sent()
    stage.player.lose("the daemon closed the connection")
    assert (stage.next(), stage.next()) == (None, None)
    stage.player.finish()
    assert stage.texts == [
        "no answer: the daemon closed the connection",
        "2 calls from here on were not made: the daemon closed the connection",
    ]


def test_pings_are_told_apart() -> None:
    stage = Stage(Tape().ask("CONNECT_GET_HOSTNAME"))
    assert stage.player.receive(Packet(0x6B656570, 1, 1, MESSAGE, 0, 0))
    assert not stage.player.receive(packet(LOOKUP, REPLY, found(WEB), serial=4711))
