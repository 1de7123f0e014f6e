"""The questions on a connection's own life, which is ended while they are asked."""

from __future__ import annotations

from tests.differential.comparison import Ask, CallbackArgument

__all__ = ["IS_ALIVE", "KEEP_ALIVE", "QUESTIONS", "REGISTER", "UNREGISTER"]

REGISTER = Ask(
    "Connection.register_close_callback",
    "connection",
    (CallbackArgument(),),
    ("registerCloseCallback", CallbackArgument(), None),
    theirs=lambda answer: None,
)
UNREGISTER = Ask(
    "Connection.unregister_close_callback", "connection", (), ("unregisterCloseCallback",)
)
KEEP_ALIVE = Ask(
    "Connection.set_keep_alive",
    "connection",
    (5, 6),
    ("setKeepAlive", 5, 6),
    theirs=lambda answer: None if answer == 0 else answer,
)
IS_ALIVE = Ask("Connection.is_alive", "connection", (), ("isAlive",))

QUESTIONS = (REGISTER, UNREGISTER, KEEP_ALIVE, IS_ALIVE)
