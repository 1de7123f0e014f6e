"""``python -m tests.lab``: prepare the lab, as ./test does before it runs the suites."""

from __future__ import annotations

import sys

from tests.lab.prepare import main

sys.exit(main())
