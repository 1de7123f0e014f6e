"""Connection URIs, read the way libvirt reads them.

Responsible for the grammar (RFC 3986 as libxml2 applies it, libvirt's own splitting of the query),
for what each part means, and for the name that travels in CONNECT_OPEN. Knows no socket path and
opens nothing: choosing a path is ``endpoint``'s business.
"""

from __future__ import annotations

from virtproto.errors import URIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtproto.model.client_config import ClientConfig

__all__ = [
    "PARAMETERS",
    "TRANSPORTS",
    "ConnectionURI",
    "meant_text",
    "parse_uri",
    "resolve_uri",
    "shown",
    "uri_fault",
]

# What may follow "+" in the scheme (remote_sockets.c).
TRANSPORTS = ("tls", "unix", "ssh", "libssh2", "ext", "tcp", "libssh")

# Parameters that the client takes for itself, whatever the transport; all others are the driver's.
PARAMETERS = frozenset(
    (
        "name",
        "auth",
        "authfile",
        "mode",
        "socket",
        "command",
        "netcat",
        "proxy",
        "keyfile",
        "no_tty",
        "no_verify",
        "known_hosts",
        "known_hosts_verify",
        "sshauth",
        "pkipath",
        "tls_priority",
        "no_sanity",
    )
)
_SWITCHES = ("no_tty", "no_verify", "no_sanity")
_CHOICES = {
    "mode": ("auto", "legacy", "direct"),
    "proxy": ("auto", "netcat", "native"),
}
# Parameters whose values are checked at once.
_CHECKED = frozenset(("auth", *_SWITCHES, *_CHOICES))
# Drivers that always want a path: "qemu://system" is surely a slash short.
_PATH_DRIVERS = ("qemu", "vbox", "vz")

_DIGITS = frozenset("0123456789")
_ALPHA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALNUM = _ALPHA | _DIGITS
_HEX = _DIGITS | frozenset("abcdefABCDEF")
_SUB_DELIMS = frozenset("!$&'()*+,;=")
_UNRESERVED = _ALNUM | frozenset("-._~")
_HOST = _UNRESERVED | _SUB_DELIMS
_USER = _HOST | frozenset(":")
_SEGMENT = _USER | frozenset("@")
_PATH = _SEGMENT | frozenset("/")
_QUERY = _PATH | frozenset("?")
_FRAGMENT = _QUERY | frozenset("[]")
# Left as they are in a value that is shown: what can be read best.
_SHOWN = _UNRESERVED | frozenset(":/@*?=")
# Left as they are when a path or fragment is written again: libxml2 goes by RFC 2396 there.
_MARKS = _ALNUM | frozenset("-_.!~*'()")
_PATH_KEPT = _MARKS | frozenset("/;@&=+$,")
_FRAGMENT_KEPT = _MARKS | frozenset(";/?:@&=+$,[]")


class ConnectionURI:
    """A connection URI taken apart; every text is percent-decoded.

    ``text`` is the URI as given; ``scheme`` the part before ":" as written; ``driver`` and
    ``transport`` its two halves (the transport lower-cased, and chosen where none was written:
    "tls" with a server, "unix" without); ``user``, ``server`` (no brackets) and ``path`` are None
    when absent; ``port`` is 0 when absent; ``params`` holds all (name, value) pairs of the query in
    order.
    """

    __slots__ = (
        "driver",
        "fragment",
        "params",
        "path",
        "port",
        "scheme",
        "server",
        "text",
        "transport",
        "user",
    )

    text: str
    scheme: str
    driver: str
    transport: str
    user: str | None
    server: str | None
    port: int
    path: str | None
    params: tuple[tuple[str, str], ...]
    fragment: str | None

    def __repr__(self) -> str:
        return f"<ConnectionURI {shown(self.text)}>"

    def parameter(self, name: str) -> str | None:
        """Return a parameter of the client's own, or None; case is ignored and the last wins."""
        found = None
        for key, value in self.params:
            if key.lower() == name:
                found = value
        return found

    def switch(self, name: str) -> bool:
        """Return whether an on/off parameter (``no_verify`` and the like) is on: non-zero.

        Raises URIError where the value is not a whole number.
        """
        on = False
        for key, value in self.params:
            if key.lower() == name:
                # One that a later one overrides has to be a number all the same.
                on = _read_switch(name, value)
        return on

    @property
    def authfile(self) -> str | None:
        """The ``authfile`` parameter: the first whose name is written just so. None without one."""
        for key, value in self.params:
            if key == "authfile":
                return value
        return None

    def name_to_send(self) -> str:
        """Return the name for CONNECT_OPEN: what is left for the daemon's driver to read.

        ``name=`` is sent verbatim; "remote" as the driver sends "", which lets the daemon choose.
        Otherwise server, user, port, transport and the client's own parameters are taken out.
        Source: remoteConnectFormatURI.
        """
        name = self.parameter("name")
        if name is not None:
            return name
        if self.driver == "remote":
            return ""
        text = f"{self.driver}://{_escape(self.path or '', _PATH_KEPT)}"
        left = [(key, value) for key, value in self.params if key.lower() not in PARAMETERS]
        if left:
            text += "?" + "&".join(f"{key}={_escape(value, _UNRESERVED)}" for key, value in left)
        if self.fragment is not None:
            text += "#" + _escape(self.fragment, _FRAGMENT_KEPT)
        return text


def resolve_uri(
    text: str | None,
    environ: Mapping[str, str],
    config: ClientConfig | None = None,
    *,
    aliases: bool = True,
) -> ConnectionURI | None:
    """Return the URI to connect to, or None where the daemon shall choose its driver.

    ``config`` is the user's libvirt.conf; see `meant_text`. Raises URIError for a URI that cannot
    be used, ConfigFileError.
    """
    steps = meant_text(text, environ, config, aliases=aliases)
    if not steps:
        return None
    source, meant = steps[-1]
    try:
        return parse_uri(meant)
    except URIError as fault:
        # Whoever did not write it himself is told where to look.
        if source in ("uri_default", "uri_aliases") and config is not None:
            raise URIError(f"{fault} (from {source} in {config.path})") from None
        if source == "LIBVIRT_DEFAULT_URI":
            raise URIError(f"{fault} (from the environment's {source})") from None
        raise


def meant_text(
    text: str | None,
    environ: Mapping[str, str],
    config: ClientConfig | None = None,
    *,
    aliases: bool = True,
) -> tuple[tuple[str, str], ...]:
    """Return how one comes to the URI that is meant: pairs of a source and its text, last its own.

    The sources are "argument", "LIBVIRT_DEFAULT_URI" or "uri_default" (of ``config``), the first
    of them that is there and not empty; then may follow "xen" (an argument that is short for
    xen:///system) and "uri_aliases" (of ``config``, unless ``aliases`` is off). Nothing at all is
    the daemon's choice.
    Source: virConnectOpenInternal.
    """
    if text is not None and not isinstance(text, str):
        raise URIError(f"a connection URI is a str or None, not {type(text).__name__}")
    source = "argument"
    if not text:
        source, text = "LIBVIRT_DEFAULT_URI", environ.get("LIBVIRT_DEFAULT_URI")
    if not text and config is not None:
        source, text = "uri_default", config.default_uri()
    if not text:
        return ()
    steps: tuple[tuple[str, str], ...] = ((source, text),)
    # A caller's short form: nobody reads it in the other places.
    if source == "argument" and (text.lower() == "xen" or text == "xen://"):
        steps += (("xen", "xen:///system"),)
    if aliases and config is not None:
        real = config.alias(steps[-1][1])
        if real is not None:
            steps += (("uri_aliases", real),)
    return steps


def parse_uri(text: str) -> ConnectionURI:
    """Take a connection URI apart. Raises URIError, which names the part at fault.

    Sources: virURIParse, remoteSplitURIScheme.
    """
    uri = ConnectionURI()
    uri.text = text
    scheme, rest = _cut_scheme(text)
    rest, mark, fragment = rest.partition("#")
    uri.fragment = _decoded(text, "fragment", fragment, _FRAGMENT) if mark else None
    rest, _mark, query = rest.partition("?")
    _check(text, "query", query, _QUERY)
    uri.params = tuple(_split_query(text, query))
    uri.user = uri.server = None
    uri.port = 0
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        _read_authority(uri, authority)
        rest = slash + path
    uri.path = _decoded(text, "path", rest, _PATH) if rest else None
    uri.scheme = scheme
    _split_scheme(uri)
    _check_meaning(uri)
    return uri


def shown(text: str) -> str:
    """Return a URI for messages, with a password in its user part left out.

    Also where the URI cannot be read because of that password, or lacks a slash in front of it:
    then rather more is left out than less. A URI that it names in turn (``name=``) is treated so
    as well.
    """
    text = _shown_authority(text)
    head, mark, query = text.partition("?")
    if "@" not in query and "%40" not in query:
        return text
    query, hash_mark, fragment = query.partition("#")
    for end in "&;":
        query = end.join(map(_shown_section, query.split(end)))
    return head + mark + query + hash_mark + fragment


def _shown_section(section: str) -> str:
    name, equals, value = section.partition("=")
    if name.lower() != "name":
        return section
    if "%00" in value or "name=" in value.lower():
        # No text, or one URI more within that one.
        return f"{name}=***"
    named = _unescape_some(value, value)
    plain = _shown_authority(named)
    return section if plain == named else name + equals + _escape(plain, _SHOWN)


def _shown_authority(text: str) -> str:
    start = _authority_start(text)
    end = _find_any(text, "/?#", start)
    user, at, _host = text[start:end].rpartition("@")
    name, colon, password = (user if at else text[start:end]).partition(":")
    if not colon:
        return text
    if at:
        end = start + len(user)
    elif name.startswith("[") or not password or _DIGITS.issuperset(password):
        return text
    else:
        # No port, so a password with a mark in it that had to be escaped; it ends at an "@".
        end = text.rfind("@", end)
        if end < 0:
            return text
    return f"{text[:start]}{name}:***{text[end:]}"


def _authority_start(text: str) -> int:
    """Return where user and server begin in a URI, also in one that lacks a slash or the colon."""
    colon = text.find(":")
    slashes = text.find("//")
    if slashes >= 0 and (colon < 0 or slashes <= colon + 1):
        return slashes + 2
    return colon + 2 if text[colon + 1 : colon + 2] == "/" else colon + 1


def _find_any(text: str, marks: str, start: int) -> int:
    return min(
        (at for at in (text.find(mark, start) for mark in marks) if at >= 0), default=len(text)
    )


def uri_fault(text: str, what: str) -> URIError:
    """Return the error that says what is wrong with a URI, without its passwords."""
    return URIError(f"connection URI {shown(text)!r}: {what}")


def _cut_scheme(text: str) -> tuple[str, str]:
    scheme, colon, rest = text.partition(":")
    if not colon or any(mark in scheme for mark in "/?#"):
        raise uri_fault(text, "it has no driver; expected something like qemu:///system")
    if scheme[:1] not in _ALPHA or not (_ALNUM | frozenset("+-.")).issuperset(scheme):
        raise uri_fault(text, f"{scheme!r} is not a driver name")
    return scheme, rest


def _read_authority(uri: ConnectionURI, authority: str) -> None:
    text = uri.text
    user, at, host = authority.rpartition("@")
    if at:
        uri.user = _decoded(text, "user", user, _USER) or None
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and port[0] != ":"):
            raise uri_fault(text, "the IPv6 address in brackets does not end as it should")
        if ":" not in host:
            raise uri_fault(text, f"[{host}] is no IPv6 address; brackets are for those alone")
        # A zone may follow the address, as %eth0 or %25eth0.
        _check(text, "server", host.replace("%", ""), _USER)
        server, colon, port = _unescape_some(text, host), port[:1], port[1:]
    else:
        host, colon, port = host.partition(":")
        server = _decoded(text, "server", host, _HOST)
    if colon:
        if not port or not _DIGITS.issuperset(port) or len(port) > 8 or int(port) > 65535:
            # Where an "@" follows, this is rather the start of a password than a port.
            what = "what follows the server" if "@" in text else repr(port)
            raise uri_fault(text, f"{what} is not a port number")
        # Without a server a port means nothing, and libvirt forgets it.
        uri.port = int(port) if server else 0
    uri.server = server or None


def _split_scheme(uri: ConnectionURI) -> None:
    driver, plus, transport = uri.scheme.partition("+")
    transport = transport.lower()
    if not plus:
        transport = "tls" if uri.server else "unix"
    elif transport not in TRANSPORTS:
        known = ", ".join(TRANSPORTS)
        raise uri_fault(uri.text, f"{transport!r} is not a transport; there are {known}")
    uri.driver = driver
    uri.transport = transport


def _check_meaning(uri: ConnectionURI) -> None:
    if uri.path is None and uri.server in ("system", "session") and uri.scheme in _PATH_DRIVERS:
        raise uri_fault(
            uri.text,
            f"{uri.server!r} stands where a server name goes; "
            f"did you mean {uri.scheme}:///{uri.server} with three slashes?",
        )
    if uri.transport == "unix" and uri.server:
        raise uri_fault(
            uri.text, f"transport unix is for this machine, but a server {uri.server!r} is named"
        )
    if _CHECKED.isdisjoint([key.lower() for key, _ in uri.params]):
        return
    for name in _SWITCHES:
        uri.switch(name)
    auth = uri.parameter("auth")
    if auth is not None and auth.lower() not in ("sasl", "polkit"):
        kind, _dot, mechanism = auth.partition(".")
        if kind.lower() != "sasl" or not mechanism:
            raise uri_fault(uri.text, f"auth={auth}: expected sasl, sasl.MECHANISM or polkit")
    for name, choices in _CHOICES.items():
        value = uri.parameter(name)
        if value is not None and value not in choices:
            raise uri_fault(uri.text, f"{name}={value}: expected one of {', '.join(choices)}")


def _split_query(text: str, query: str) -> list[tuple[str, str]]:
    """Split at "&", and at ";" only once no "&" is left further right, as libvirt does."""
    pairs = []
    while query:
        mark = "&" if "&" in query else ";"
        section, _mark, query = query.partition(mark)
        name, _equals, value = section.partition("=")
        # A section without a name ("=x", or nothing at all) is passed over.
        if name:
            pairs.append((_unescape(text, name), _unescape(text, value)))
    return pairs


def _check(text: str, part: str, raw: str, allowed: frozenset[str]) -> None:
    if allowed.issuperset(raw):
        return
    for index, char in enumerate(raw):
        if char in allowed:
            continue
        if char == "%" and len(raw) > index + 2 and _HEX.issuperset(raw[index + 1 : index + 3]):
            continue
        try:
            escaped = "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            raise uri_fault(text, f"{char!r} in its {part} is half a character") from None
        raise uri_fault(text, f"{char!r} may not stand in its {part} as it is; write {escaped}")


def _decoded(text: str, part: str, raw: str, allowed: frozenset[str]) -> str:
    _check(text, part, raw, allowed)
    return _unescape(text, raw)


def _unescape(text: str, raw: str) -> str:
    if "%" not in raw:
        return raw
    first, *pieces = raw.split("%")
    data = bytearray(first.encode())
    for piece in pieces:
        data.append(int(piece[:2], 16))
        data += piece[2:].encode()
    if 0 in data:
        raise uri_fault(text, "%00 may not stand in it")
    return data.decode("utf-8", "surrogateescape")


def _unescape_some(text: str, raw: str) -> str:
    """Decode what is percent-encoded, and leave other percent signs where they stand."""
    parts = raw.split("%")
    whole = [part if _is_escape(part) else "25" + part for part in parts[1:]]
    return _unescape(text, "%".join([parts[0], *whole]))


def _is_escape(piece: str) -> bool:
    return len(piece) >= 2 and _HEX.issuperset(piece[:2])


def _read_switch(name: str, value: str) -> bool:
    # As strtol reads an int.
    digits = value.lstrip(" \t\n\v\f\r")
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    if digits and _DIGITS.issuperset(digits) and len(digits.lstrip("0")) <= 10:
        number = -int(digits) if "-" in value else int(digits)
        if -(1 << 31) <= number < 1 << 31:
            return bool(number)
    raise URIError(f"URI parameter {name}={value}: expected a number, 0 for off, 1 for on")


def _escape(value: str, kept: frozenset[str]) -> str:
    if kept.issuperset(value):
        return value
    data = value.encode("utf-8", "surrogateescape")
    return "".join(chr(b) if chr(b) in kept else f"%{b:02X}" for b in data)
