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
    # (state, what the peer did) to (next state, what to do); (state, local wish) to next state.
    Table = dict[tuple[str, str], tuple[str, str]]
    Wishes = dict[tuple[str, str], str]

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

# What to do about what the peer did: report it to the front end, nothing, or send an abort.
REPORT = "report"
REPORT_REPLY = "report reply"
REPORT_FAILURE = "report failure"
REPORT_BREACH = "report breach"
DISCARD = "discard"
SEND_ABORT = "send abort"

_TRAFFIC = (DATA, END, HOLE)


def _loop(state: str, inputs: tuple[str, ...], action: str) -> Table:
    """Return the transitions that stay where they are."""
    return {(state, what): (state, action) for what in inputs}


_BEFORE_REPLY: Table = {
    **_loop(OPENING, _TRAFFIC, REPORT),
    (OPENING, REPLY_OK): (OPEN, REPORT_REPLY),
    (OPENING, REPLY_ERROR): (CLOSED, REPORT_REPLY),
    (OPENING, STREAM_ERROR): (FAILED_OPENING, REPORT_FAILURE),
    **_loop(FAILED_OPENING, (*_TRAFFIC, STREAM_ERROR), DISCARD),
    (FAILED_OPENING, REPLY_OK): (FAILED, REPORT_REPLY),
    (FAILED_OPENING, REPLY_ERROR): (CLOSED, REPORT_REPLY),
}

# A hole that the server could not apply is answered by an error REPLY on the stream's serial: it is
# taken as the stream error that it means. A second OK reply costs the stream, as with libvirt's own
# client while somebody waits for the stream.
_IN_USE: Table = {
    **_loop(OPEN, _TRAFFIC, REPORT),
    (OPEN, STREAM_ERROR): (FAILED, REPORT_FAILURE),
    (OPEN, REPLY_ERROR): (FAILED, REPORT_FAILURE),
    (OPEN, REPLY_OK): (FAILED, REPORT_BREACH),
}

_ENDING: Table = {
    **_loop(FINISHING, _TRAFFIC, DISCARD),
    (FINISHING, STREAM_OK): (CLOSED, REPORT),
    (FINISHING, STREAM_ERROR): (FAILED, REPORT_FAILURE),
    (FINISHING, REPLY_ERROR): (FAILED, REPORT_FAILURE),
    (FINISHING, REPLY_OK): (FAILED, REPORT_BREACH),
    **_loop(ABORTING, _TRAFFIC, DISCARD),
    (ABORTING, STREAM_OK): (CLOSED, REPORT),
    (ABORTING, STREAM_ERROR): (FAILED, REPORT_FAILURE),
    (ABORTING, REPLY_ERROR): (FAILED, REPORT_FAILURE),
    (ABORTING, REPLY_OK): (FAILED, REPORT_BREACH),
}

# After a failure more may be on its way; even a confirmation, if a hole failed before a finish.
_FAILED: Table = _loop(FAILED, (*_TRAFFIC, STREAM_OK, STREAM_ERROR, REPLY_ERROR, REPLY_OK), DISCARD)

_DISOWNED: Table = {
    **_loop(DISOWNED, _TRAFFIC, DISCARD),
    (DISOWNED, REPLY_OK): (DISOWNED_ABORTING, SEND_ABORT),
    (DISOWNED, REPLY_ERROR): (CLOSED, DISCARD),
    (DISOWNED, STREAM_ERROR): (DISOWNED_FAILED, DISCARD),
    **_loop(DISOWNED_FAILED, (*_TRAFFIC, STREAM_ERROR), DISCARD),
    (DISOWNED_FAILED, REPLY_OK): (FAILED, DISCARD),
    (DISOWNED_FAILED, REPLY_ERROR): (CLOSED, DISCARD),
    **_loop(DISOWNED_ABORTING, _TRAFFIC, DISCARD),
    (DISOWNED_ABORTING, STREAM_OK): (CLOSED, DISCARD),
    (DISOWNED_ABORTING, STREAM_ERROR): (FAILED, DISCARD),
    (DISOWNED_ABORTING, REPLY_ERROR): (FAILED, DISCARD),
}

CLIENT_RECEIVES: Table = {**_BEFORE_REPLY, **_IN_USE, **_ENDING, **_FAILED, **_DISOWNED}

CLIENT_WISHES: Wishes = {
    (OPEN, DATA): OPEN,
    (OPEN, HOLE): OPEN,
    (OPEN, FINISH): FINISHING,
    (OPEN, ABORT): ABORTING,
    (OPENING, ABANDON): DISOWNED,
    (FAILED_OPENING, ABANDON): DISOWNED_FAILED,
}

# A server's stream is known from `open_stream` on, before the reply to its call is sent. What a
# client sends on a closed stream is dropped by not knowing it.
SERVER_RECEIVES: Table = {
    **_loop(OPEN, (DATA, HOLE), REPORT),
    (OPEN, END): (OPEN, DISCARD),  # an empty packet from a client means nothing
    (OPEN, FINISH): (FINISHING, REPORT),
    (OPEN, ABORT): (ABORTING, REPORT),
    **_loop(FINISHING, (*_TRAFFIC, FINISH, ABORT), DISCARD),
    **_loop(ABORTING, (*_TRAFFIC, FINISH, ABORT), DISCARD),
}

# Data that a server had queued may still follow a finish or abort, before the confirmation.
SERVER_WISHES: Wishes = {
    **{(state, what): state for state in (OPEN, FINISHING, ABORTING) for what in _TRAFFIC},
    **{(state, FAIL): CLOSED for state in (OPEN, FINISHING, ABORTING)},
    (FINISHING, CONFIRM): CLOSED,
    (ABORTING, CONFIRM): CLOSED,
}


class StreamRecord:
    """One stream: the (program, version, procedure) of its call, its state, whether it has holes.

    ``sparse`` is None on a client, which does not read the arguments of its calls.
    """

    __slots__ = ("sparse", "state", "target")

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

    def wish(self, table: Wishes, serial: int, what: str) -> None:
        """Move on a local wish, which may be carried out then. Raises UsageError."""
        try:
            self.state = table[self.state, what]
        except KeyError:
            raise UsageError(
                f"{what} on the stream with serial {serial}, which is {self.state}"
            ) from None
