"""Opens connections with Debian's python3-libvirt, one after another, with a user to tell of.

Run as a program by test_sasl.py with the system's own Python, which has the C binding. It must not
import the project's packages, which that Python does not have.

Standard input: a JSON list of [URI, {credential type: answer}]. What has no answer is answered
with nothing. Standard output: a JSON list, for each the error's code or null, and the types that
were asked for, in order.
"""

import json
import sys
from typing import Any

import libvirt  # type: ignore[import-not-found]

_TYPES = [1, 2, 5, 6, 7, 8, 9]


def _opened(uri: str, answers: dict[str, str]) -> tuple[int | None, list[int]]:
    asked: list[int] = []

    def answer(requests: list[list[Any]], _data: Any) -> int:
        asked.extend(request[0] for request in requests)
        for request in requests:
            # The last of a request's places is its answer's.
            request[4] = answers.get(str(request[0]), "")
        return 0

    try:
        libvirt.openAuth(uri, [_TYPES, answer, None], 0).close()
    except libvirt.libvirtError as error:
        return error.get_error_code(), asked
    return None, asked


def main() -> None:
    """Open each of them."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    print(json.dumps([_opened(uri, answers) for uri, answers in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
