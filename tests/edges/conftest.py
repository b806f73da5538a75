"""A folder with photos and trained runs, which the tests of a file share."""

from __future__ import annotations

import pytest
from tiny_runs import make_home


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.chdir(home)
        return make_home(home)


@pytest.fixture
def here(made, monkeypatch):
    monkeypatch.chdir(made)
    return made
