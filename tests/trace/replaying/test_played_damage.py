"""Recordings that are damaged, or never were a conversation, play without a traceback."""

from __future__ import annotations

import random

from tests.trace.replaying.tape import CALL, HOLE, STREAM, WEB, Tape, found, lookup, packet
from virtproto.protocol.framing import Packet
from virtproto.trace.recording import PACKET, Record
from virtproto.trace.replaying.client_player import ClientPlayer
from virtproto.trace.replaying.daemon_player import DaemonPlayer
from virtproto.trace.replaying.deviation import Deviation
from virtproto.trace.replaying.judging import Judge
from virtproto.trace.replaying.recalling import Recalled
from virtproto.trace.replaying.scripts import Scripts
from virtproto.trace.replaying.stand_ins import StandIns
from virtproto.trace.telling import Teller
from virtproto.wire import remote

_ROUNDS = 500
_VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")


def _tape() -> Tape:
    args = remote.StorageVolUploadArgs(vol=_VOLUME, offset=0, length=0, flags=1)
    register = remote.ConnectDomainEventCallbackRegisterAnyArgs(eventID=0, dom=None)
    number = remote.ConnectDomainEventCallbackRegisterAnyRet(callbackID=1)
    event = remote.DomainEventLifecycleMsg(dom=WEB, event=3, detail=0)
    tape = Tape().opened().ask("DOMAIN_LOOKUP_BY_NAME", lookup("web"), found(WEB), serial=1)
    tape.ask("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", register, number, serial=2)
    told = remote.DomainEventCallbackLifecycleMsg(callbackID=1, msg=event)
    tape.event("DOMAIN_EVENT_CALLBACK_LIFECYCLE", told)
    tape.ask("STORAGE_VOL_UPLOAD", args, serial=3)
    tape.stream("STORAGE_VOL_UPLOAD", b"data" * 9, from_client=True, serial=3)
    hole = bytes(6) + b"\1\0" + bytes(4)
    tape.stream("STORAGE_VOL_UPLOAD", hole, from_client=True, serial=3, kind=HOLE)
    tape.stream("STORAGE_VOL_UPLOAD", from_client=True, serial=3, status=0)
    tape.stream("STORAGE_VOL_UPLOAD", from_client=False, serial=3, status=0)
    return tape.call("DOMAIN_LOOKUP_BY_NAME", lookup("x")).refusal("DOMAIN_LOOKUP_BY_NAME", "no")


def _damaged(chance: random.Random, records: list[Record]) -> list[Record]:
    """Return the records with bytes changed, packets cut, swapped, doubled and left out."""
    changed = []
    for each in records:
        body = bytearray(each.body)
        for _ in range(chance.choice((0, 0, 1, 3))):
            if body:
                place = chance.randrange(min(len(body), chance.choice((8, 40, 400))))
                body[place] = chance.choice((0, 1, 2, 5, 6, 127, 255, chance.randrange(256)))
        if chance.random() < 0.1:
            del body[chance.randrange(len(body) + 1) :]
        flags = each.flags ^ chance.choice((0,) * 12 + (1, 2, 4))
        kind = each.kind if chance.random() < 0.95 else chance.randrange(8)
        made = Record(kind, flags, each.conversation, each.time_s, bytes(body))
        changed += [made] * chance.choice((0,) + (1,) * 12 + (2,))
    if changed and chance.random() < 0.3:
        place = chance.randrange(len(changed))
        changed.insert(0, changed.pop(place))
    return changed


def _recalled(records: list[Record]) -> Recalled:
    teller, recalled = Teller(), Recalled()
    for each in records:
        recalled.add(teller.tell(each))
    return recalled


def _tell(told: list[Deviation]) -> None:
    for each in told:
        assert each.lines()
        assert each.plain()


def _play_daemon(recalled: Recalled, said: list[Packet], *, loose: bool) -> None:
    told: list[Deviation] = []
    player = DaemonPlayer(Scripts(recalled, loose=loose).choose, told.append, strict=loose)
    for now, each in enumerate(said):
        player.receive(each, float(now))
        for answer in player.take(float(now)):
            answer.pack(carries_descriptors=now % 2 == 0)
    player.take(1e6)
    player.gone()
    _tell(told)


def _play_client(recalled: Recalled, said: list[Packet]) -> None:
    told: list[Deviation] = []
    judge, stand_ins = Judge(told.append), StandIns()
    for conversation in recalled.conversations.values():
        player = ClientPlayer(conversation, judge, stand_ins)
        answers = iter(said)
        for step in player.steps:
            for each in step.after:
                player.is_missing(each)
            packed = player.send(step)
            if packed is not None:
                packed.pack()
            answer = next(answers, None)
            if answer is not None:
                if packed is not None:
                    answer.serial = packed.serial
                player.receive(answer)
        player.lose("it was long enough")
        player.finish()
    _tell(told)


def test_damaged_recordings_are_played_as_far_as_they_go() -> None:
    from virtproto.trace.reading.recordings import RecordReader

    whole = RecordReader().feed(_tape().data)
    sound = _recalled(whole)
    played = 0
    for seed in range(_ROUNDS):
        chance = random.Random(seed)
        records = _damaged(chance, whole)
        recalled = _recalled(records)
        said = [each.packet for each in sound.messages if each.from_client]
        heard = [each.packet for each in recalled.messages if not each.from_client]
        _play_daemon(recalled, said, loose=seed % 2 == 0)
        _play_client(recalled, heard)
        # And the other way round: sound recordings, and ends that talk nonsense.
        nonsense = [each.packet for each in recalled.messages]
        _play_daemon(sound, nonsense, loose=seed % 2 == 1)
        _play_client(sound, nonsense)
        played += sum(each.kind == PACKET for each in records)
    assert played > _ROUNDS


def test_an_empty_conversation_is_nobodys() -> None:
    recalled = Tape().ask("AUTH_LIST", b"", remote.AuthListRet(types=[0])).recalled()
    told: list[Deviation] = []
    player = DaemonPlayer(Scripts(recalled).choose, told.append)
    player.receive(packet("DOMAIN_LOOKUP_BY_NAME", CALL, lookup("web")), 0.0)
    assert [each.text for each in told] == ["there is no conversation in the recording"]
    player.receive(packet("DOMAIN_LOOKUP_BY_NAME", STREAM), 0.0)
    assert len(player.take(0.0)) == 2
