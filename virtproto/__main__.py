"""``python -m virtproto`` is the command ``virtproto``."""

from __future__ import annotations

import sys

from virtproto.cli import main

if __name__ == "__main__":
    sys.exit(main())
