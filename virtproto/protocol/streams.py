"""Streams: the states of one, as tables, for both sides.

Responsible for: what a packet or a local wish means in each state. Must not know packets, serials
or events. A pair (state, input) that a table lacks is an error: of the protocol if the peer caused
it, of the caller if it was a local wish.

A client's stream is opened by a call and its OK reply; data may overtake that reply, and what the
client sends before it is thrown away by the server. An empty data packet from the server says that
it has no more; the stream still waits for finish or abort, which the server confirms. A server
error ends the stream at once: nothing sent afterwards is ever answered.

Source: virnetclientstream.c, remote_daemon_stream.c.
"""

from __future__ import annotations

from virtproto.errors import SequenceError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Table = dict[tuple[str, str], tuple[str, str]]

# States of a stream on the client.
OPENING = "opening"  # the call is sent, not answered
OPEN = "open"
FINISHING = "finishing"  # finish is sent, not confirmed
ABORTING = "aborting"
FAILED = "failed"  # the server sent an error; kept for what may still come
FAILED_OPENING = "failed before its call was answered"
DISOWNED = "abandoned while opening"  # to be aborted once the reply is there
DISOWNED_FAILED = "abandoned and failed"  # only the reply is still to come
DISOWNED_ABORTING = "abandoned and aborting"
CLOSED = "closed"  # nothing more to remember

# What the peer can do to a stream.
REPLY_OK = "reply"
REPLY_ERROR = "error reply"
DATA = "data"
END = "end of data"
HOLE = "hole"
STREAM_OK = "confirmation"
STREAM_ERROR = "stream error"

# What the local side can wish, besides DATA, END and HOLE.
FINISH = "finish"
ABORT = "abort"
ABANDON = "abandon"
CONFIRM = "confirm"
FAIL = "fail"

# What to do on a transition: report to the front end, or nothing, or send an abort.
REPORT = "report"
REPORT_REPLY = "report reply"
REPORT_FAILURE = "report failure"
DISCARD = "discard"
SEND = "send"
SEND_ABORT = "send abort"

_AWAITING_REPLY: Table = {
    (OPENING, REPLY_OK): (OPEN, REPORT_REPLY),
    (OPENING, REPLY_ERROR): (CLOSED, REPORT_REPLY),
    (OPENING, DATA): (OPENING, REPORT),
    (OPENING, END): (OPENING, REPORT),
    (OPENING, HOLE): (OPENING, REPORT),
    (OPENING, STREAM_ERROR): (FAILED_OPENING, REPORT_FAILURE),
    (FAILED_OPENING, REPLY_OK): (FAILED, REPORT_REPLY),
    (FAILED_OPENING, REPLY_ERROR): (CLOSED, REPORT_REPLY),
    (FAILED_OPENING, DATA): (FAILED_OPENING, DISCARD),
    (FAILED_OPENING, END): (FAILED_OPENING, DISCARD),
    (FAILED_OPENING, HOLE): (FAILED_OPENING, DISCARD),
    (FAILED_OPENING, STREAM_ERROR): (FAILED_OPENING, DISCARD),
    (FAILED_OPENING, STREAM_OK): (FAILED_OPENING, DISCARD),
}

_IN_USE: Table = {
    (OPEN, DATA): (OPEN, REPORT),
    (OPEN, END): (OPEN, REPORT),
    (OPEN, HOLE): (OPEN, REPORT),
    (OPEN, STREAM_ERROR): (FAILED, REPORT_FAILURE),
    # A hole that the server could not apply is answered by a REPLY on the stream's serial.
    (OPEN, REPLY_ERROR): (FAILED, REPORT_FAILURE),
}

_ENDING: Table = {
    (state, DATA): (state, DISCARD) for state in (FINISHING, ABORTING, DISOWNED_ABORTING)
}
for _state in (FINISHING, ABORTING, DISOWNED_ABORTING):
    _ENDING[_state, END] = (_state, DISCARD)
    _ENDING[_state, HOLE] = (_state, DISCARD)
for _state in (FINISHING, ABORTING):
    _ENDING[_state, STREAM_OK] = (CLOSED, REPORT)
    _ENDING[_state, STREAM_ERROR] = (FAILED, REPORT_FAILURE)
    _ENDING[_state, REPLY_ERROR] = (FAILED, REPORT_FAILURE)

_UNHEARD: Table = {
    # After a failure the server may have more on its way; a confirmation too, if a hole failed
    # while finish was under way.
    (FAILED, DATA): (FAILED, DISCARD),
    (FAILED, END): (FAILED, DISCARD),
    (FAILED, HOLE): (FAILED, DISCARD),
    (FAILED, STREAM_OK): (FAILED, DISCARD),
    (FAILED, STREAM_ERROR): (FAILED, DISCARD),
    (FAILED, REPLY_ERROR): (FAILED, DISCARD),
    (DISOWNED, REPLY_OK): (DISOWNED_ABORTING, SEND_ABORT),
    (DISOWNED, REPLY_ERROR): (CLOSED, DISCARD),
    (DISOWNED, DATA): (DISOWNED, DISCARD),
    (DISOWNED, END): (DISOWNED, DISCARD),
    (DISOWNED, HOLE): (DISOWNED, DISCARD),
    (DISOWNED, STREAM_ERROR): (DISOWNED_FAILED, DISCARD),
    (DISOWNED_FAILED, REPLY_OK): (CLOSED, DISCARD),
    (DISOWNED_FAILED, REPLY_ERROR): (CLOSED, DISCARD),
    (DISOWNED_FAILED, DATA): (DISOWNED_FAILED, DISCARD),
    (DISOWNED_FAILED, END): (DISOWNED_FAILED, DISCARD),
    (DISOWNED_FAILED, HOLE): (DISOWNED_FAILED, DISCARD),
    (DISOWNED_FAILED, STREAM_ERROR): (DISOWNED_FAILED, DISCARD),
    (DISOWNED_ABORTING, STREAM_OK): (CLOSED, DISCARD),
    (DISOWNED_ABORTING, STREAM_ERROR): (FAILED, DISCARD),
    (DISOWNED_ABORTING, REPLY_ERROR): (FAILED, DISCARD),
}

CLIENT_RECEIVES: Table = {**_AWAITING_REPLY, **_IN_USE, **_ENDING, **_UNHEARD}

CLIENT_WISHES: Table = {
    (OPEN, DATA): (OPEN, SEND),
    (OPEN, HOLE): (OPEN, SEND),
    (OPEN, FINISH): (FINISHING, SEND),
    (OPEN, ABORT): (ABORTING, SEND),
    (OPENING, ABANDON): (DISOWNED, DISCARD),
    (FAILED_OPENING, ABANDON): (DISOWNED_FAILED, DISCARD),
}

# A server's stream is known from `open_stream` on, before the reply to its call is sent. What a
# client sends on a closed stream is dropped by not knowing it.
SERVER_RECEIVES: Table = {
    (OPEN, DATA): (OPEN, REPORT),
    (OPEN, END): (OPEN, DISCARD),  # an empty packet from a client means nothing
    (OPEN, HOLE): (OPEN, REPORT),
    (OPEN, FINISH): (FINISHING, REPORT),
    (OPEN, ABORT): (ABORTING, REPORT),
}
for _state in (FINISHING, ABORTING):
    for _input in (DATA, END, HOLE, FINISH, ABORT):
        SERVER_RECEIVES[_state, _input] = (_state, DISCARD)

SERVER_WISHES: Table = {
    (OPEN, DATA): (OPEN, SEND),
    (OPEN, HOLE): (OPEN, SEND),
    (OPEN, END): (OPEN, SEND),
    (FINISHING, DATA): (FINISHING, SEND),
    (ABORTING, DATA): (ABORTING, SEND),
    (FINISHING, HOLE): (FINISHING, SEND),
    (ABORTING, HOLE): (ABORTING, SEND),
    (FINISHING, END): (FINISHING, SEND),
    (ABORTING, END): (ABORTING, SEND),
    (OPEN, FAIL): (CLOSED, SEND),
    (FINISHING, FAIL): (CLOSED, SEND),
    (ABORTING, FAIL): (CLOSED, SEND),
    (FINISHING, CONFIRM): (CLOSED, SEND),
    (ABORTING, CONFIRM): (CLOSED, SEND),
}


class StreamRecord:
    """One stream: the (program, version, procedure) of its call, its state, whether it has holes.

    ``sparse`` is None on a client, which does not read the arguments of its calls.
    """

    __slots__ = ("target", "state", "sparse")

    def __init__(
        self, target: tuple[int, int, int], state: str, sparse: bool | None = None
    ) -> None:
        self.target = target
        self.state = state
        self.sparse = sparse

    def receive(self, table: Table, serial: int, what: str) -> str:
        """Move on what the peer did; return what to do. Raises SequenceError."""
        try:
            self.state, action = table[self.state, what]
        except KeyError:
            raise SequenceError(
                f"{what} for the stream with serial {serial}, which is {self.state}"
            ) from None
        return action

    def wish(self, table: Table, serial: int, what: str) -> str:
        """Move on a local wish; return what to do. Raises UsageError."""
        try:
            self.state, action = table[self.state, what]
        except KeyError:
            raise UsageError(
                f"{what} on the stream with serial {serial}, which is {self.state}"
            ) from None
        return action
