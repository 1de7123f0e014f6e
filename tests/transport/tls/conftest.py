"""Certificates for the suites of TLS."""

from __future__ import annotations

import pytest

from tests.lab.pki import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(tmp_path_factory.mktemp("pki"))
