"""What every suite shares: the lab's fixtures."""

from __future__ import annotations

pytest_plugins = ["tests.lab.fixtures"]
