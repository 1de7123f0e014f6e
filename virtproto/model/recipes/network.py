"""Changing an element of a network, which daemons read in two ways.

Responsible for learning which way the daemon at hand reads it; must not know what is changed.
"""

from __future__ import annotations

from virtproto.model.recipes.opening import ask_feature
from virtproto.wire import remote as wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.wire.remote.types import NonnullNetwork

__all__ = ["update"]

# Number of virDrvFeature: the daemon reads command and section as they are written.
_FEATURE_UPDATE_ORDER = 16


def update(
    network: NonnullNetwork, *, command: int, section: int, parent_index: int, xml: str, flags: int
) -> Recipe[None]:
    """Change an element of a network.

    A daemon without the feature takes what it finds in the place of the command for the section,
    and the other way round. Source: remoteNetworkUpdate.
    """
    if not (yield from ask_feature(_FEATURE_UPDATE_ORDER)):
        command, section = section, command
    yield (
        wire.NETWORK_UPDATE,
        wire.NetworkUpdateArgs(
            net=network,
            command=command,
            section=section,
            parentIndex=parent_index,
            xml=xml,
            flags=flags,
        ),
    )
