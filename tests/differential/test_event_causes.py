"""Every type of event that can be caused here: all who listen hear the same of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.differential.events.cause import Cause, name_of
from tests.differential.events.causes import CAUSES, NOT_CAUSED
from tests.differential.events.ears import Heard
from tests.differential.events.page import PAGE, page
from tests.differential.events.scenes import SCENES, Scene, open_scene
from virtproto.model.event_kinds import KINDS

# One scene at a time: each is a daemon, with a guest of its own.
IN_ORDER = sorted(CAUSES, key=lambda cause: SCENES.index(cause.scene))


@pytest.fixture(scope="module")
def scene_of() -> Iterator[Callable[[str], Scene]]:
    """What returns the scene of a name; the one before is over then."""
    scenes: dict[str, Scene] = {}
    with ExitStack() as held:

        def scene(name: str) -> Scene:
            if name not in scenes:
                scenes.clear()
                held.close()
                scenes[name] = held.enter_context(open_scene(name))
            return scenes[name]

        yield scene


@pytest.mark.lab
@pytest.mark.parametrize("cause", IN_ORDER, ids=lambda cause: cause.told)
def test_parties_hear_the_same(scene_of: Callable[[str], Scene], cause: Cause) -> None:
    scene = scene_of(cause.scene)
    scene.ready(running=not cause.wants_paused)
    cause.act(scene)

    def enough(heard: list[Heard]) -> bool:
        return not Counter(cause.brings) - Counter(map(name_of, heard))

    for name, expected, heard in scene.ears.hear(enough):
        assert heard == expected, name


def test_every_type_of_event_is_caused_or_has_a_reason() -> None:
    caused = {name.partition(" ")[0] for cause in CAUSES for name in cause.brings}
    assert caused | NOT_CAUSED.keys() == {kind.record for kind in KINDS.values()}
    assert not caused & NOT_CAUSED.keys()


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.differential"
