"""Logging in to an SSH server: the methods of ``sshauth``, in their order.

Responsible for what is offered to the server, and for what is said when it takes none of it. Must
not know what comes after. Nothing is offered before the host's key is in order.
"""

from __future__ import annotations

import asyncio
import os

import asyncssh

from virtproto.errors import SSHConnectError
from virtproto.model.credentials import CredentialType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncssh import SSHAgentClient, SSHClientConnection, SSHKey, SSHKeyPair

    from virtproto.model.endpoint import LibsshEndpoint

    from .asking import Questions
    from .host_keys import HostKeys

__all__ = ["Login"]

# Of a user's own keys the first that is there, as libvirt's client looks for them.
_KEY_FILES = ("identity", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa")
_TRIES = 3
# How often a host may begin to ask anew.
_ROUNDS = 8
_SSH_NAMES = {"agent": "publickey", "privkey": "publickey"}


class Login(asyncssh.SSHClient):
    """One try to log in; asyncssh asks it what to offer next."""

    def __init__(self, endpoint: LibsshEndpoint, keys: HostKeys, questions: Questions) -> None:
        self._endpoint = endpoint
        self._keys = keys
        self._questions = questions
        self._methods = endpoint.methods
        self._passwords = questions.passwords()
        self._untried = [name for name in self._methods if name in ("agent", "privkey")]
        # How often keyboard-interactive was begun, and the last of these that asked for something.
        self._rounds = self._challenges = 0
        self._agent: SSHAgentClient | None = None
        # What was tried, and what became of it, for the message.
        self.tried: list[str] = []
        # What the caller's function raised, or a file of his is to blame for.
        self.failure: BaseException | None = None
        # Whether asyncssh has the socket, and sees to its end.
        self.is_connected = False

    @property
    def preferred(self) -> list[str]:
        """The methods by the names that the protocol has for them, in order."""
        names = [_SSH_NAMES.get(method, method) for method in self._methods]
        return list(dict.fromkeys(names))

    def connection_made(self, conn: SSHClientConnection) -> None:
        self.is_connected = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
        return self._keys.judge(key, self._questions.can_ask)

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
        return self._keys.vouches(key)

    async def confirm(self) -> bool:
        """Have an unknown host key accepted, where that is left to do; tell whether all is well."""
        keys = self._keys
        if self.failure is not None or keys.fault is not None:
            return False
        if keys.unknown is None:
            return True
        try:
            if keys.mode != "auto":
                kind = CredentialType.ECHOPROMPT
                answer = await self._questions.ask(kind, keys.question())
                if answer is None or answer.strip().lower() not in ("y", "yes"):
                    keys.decline()
                    return False
            keys.accept()
        except Exception as error:
            self.failure = error
            return False
        return True

    async def public_key_auth_requested(self) -> Sequence[SSHKeyPair] | None:
        while self._untried and await self.confirm():
            method = self._untried.pop(0)
            try:
                keys = await (self._agent_keys() if method == "agent" else self._file_keys())
            except Exception as error:
                self.failure = error
                return None
            if keys:
                return keys
        return None

    async def password_auth_requested(self) -> str | None:
        return await self._next_password("password")

    async def kbdint_auth_requested(self) -> str | None:
        # Once more only where the host asked for something the last time.
        if self._rounds > self._challenges or self._rounds >= _ROUNDS or not await self.confirm():
            return None
        self._rounds += 1
        # By whatever way the host likes.
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        self._challenges = self._rounds
        if not prompts:
            return []
        if len(prompts) == 1 and not prompts[0][1]:
            password = await self._next_password("keyboard-interactive")
            return None if password is None else [password]
        self.tried.append("keyboard-interactive")
        kinds = (CredentialType.NOECHOPROMPT, CredentialType.ECHOPROMPT)
        questions = [(kinds[echo], prompt.strip()) for prompt, echo in prompts]
        try:
            answers = await self._questions.ask_all(questions)
        except Exception as error:
            self.failure = error
            return None
        if answers is None or None in answers:
            return None
        return [answer or "" for answer in answers]

    @property
    def fault(self) -> BaseException | None:
        """What went wrong on this side, or with the host's key; None for neither."""
        return self._keys.fault or self.failure

    def end(self) -> None:
        """Leave the agent in peace."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def refused(self, why: str) -> SSHConnectError:
        """Return the error for a host that took nothing of what was offered, in whose words."""
        endpoint = self._endpoint
        nothing = "nothing, as it takes no way that the URI allows"
        tried = ", ".join(dict.fromkeys(self.tried)) or nothing
        where = ", ".join(self._questions.looked)
        asked = "" if self._questions.can_ask else ", and nobody could be asked"
        passwords = f"; a password was looked for in {where}{asked}" if where else ""
        return SSHConnectError(
            f"{endpoint.host} did not let {endpoint.user} in: {why}. Tried: {tried}"
            f"{passwords}. See keyfile= and sshauth= in the URI, the agent, auth.conf (service "
            "ssh), or give open() credentials"
        )

    async def _next_password(self, method: str) -> str | None:
        if not await self.confirm():
            return None
        try:
            password = await anext(self._passwords, None)
        except Exception as error:
            self.failure = error
            return None
        if password is not None:
            self.tried.append(method)
        return password

    async def _agent_keys(self) -> list[SSHKeyPair]:
        path = os.environ.get("SSH_AUTH_SOCK")
        if not path:
            self.tried.append("agent (SSH_AUTH_SOCK is not set)")
            return []
        try:
            self._agent = await asyncssh.connect_agent(path)
            keys = list(await self._agent.get_keys())
        except (OSError, ValueError, asyncssh.Error) as error:
            self.tried.append(f"agent ({error})")
            return []
        self.tried.append(f"agent ({len(keys)} keys)")
        return keys

    async def _file_keys(self) -> list[SSHKeyPair]:
        path = self._endpoint.keyfile or _first_key_file()
        if path is None:
            self.tried.append("privkey (no key in ~/.ssh)")
            return []
        try:
            keys = await self._load(path)
        except (OSError, ValueError) as error:
            if error is self._questions.raised:
                raise
            why = getattr(error, "strerror", None) or str(error)
            self.tried.append(f"privkey ({path}: {why})")
            if self._endpoint.keyfile is None:
                return []
            # Named, and so meant: nobody is asked for a password in its place.
            raise self.refused("the file of keyfile= cannot be used") from error
        self.tried.append(f"privkey ({path})")
        return keys

    async def _load(self, path: str) -> list[SSHKeyPair]:
        try:
            return list(asyncssh.load_keypairs(path))
        except asyncssh.KeyImportError as error:
            if "assphrase" not in str(error):
                raise
        prompt = f"Passphrase of key {path}"
        for _ in range(_TRIES):
            passphrase = await self._questions.ask(CredentialType.PASSPHRASE, prompt)
            if passphrase is None:
                break
            try:
                # The more a passphrase is worth, the longer it takes.
                return list(await asyncio.to_thread(asyncssh.load_keypairs, path, passphrase))
            except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
                if "bcrypt" in str(error):
                    raise ValueError(f"{error}: pip install bcrypt") from None
        raise ValueError("it takes a passphrase, and nobody told the right one")


def _first_key_file() -> str | None:
    folder = os.path.join(os.path.expanduser("~"), ".ssh")
    paths = (os.path.join(folder, name) for name in _KEY_FILES)
    return next((path for path in paths if os.path.exists(path)), None)
