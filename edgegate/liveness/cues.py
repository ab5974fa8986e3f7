"""The cues of one presentation: each new picture is held against one a few looks older."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edgegate.images import grey
from edgegate.liveness import badge, edges
from edgegate.liveness.glance import Box, Glance, Window, glance
from edgegate.liveness.motion import follow
from edgegate.memory import Wiped
from edgegate.model import Image
from edgegate.ports import Cue

LOOKS_BACK = 3
"""Between two looks in a row a face hardly moves; over many of them its points are lost."""
MIN_MOVE_PX = 1.0
"""A face that moved less, in pixels of the glance, tells nothing."""
MIN_FACE_PX = 24
"""A narrower face has no points to follow."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    glance: Glance
    segments: edges.Segments


class Cues:
    """What the pictures of one presentation show beside the face."""

    def __init__(self) -> None:
        self.edges = edges.EdgesFollow()
        self.badge = badge.BadgeFollows()
        self._window: Window | None = None
        self._kept: deque[_Kept] = deque()

    def add(self, image: Image, face: Box) -> None:
        """One more picture of the presentation, (height, width, 3) BGR, and where its face is."""
        if face[2] < MIN_FACE_PX:
            return
        if self._window is None or not self._window.holds(face):
            self.wipe()
            self._window = Window.around(image, face)
        with Wiped() as wiped:
            whole = wiped(grey(image))
            now = glance(whole, self._window, face, badge.code_corners(whole))
        kept = _Kept(now, edges.segments(now))
        if self._kept:
            self._compare(self._kept[0], kept)
        self._kept.append(kept)
        if len(self._kept) > LOOKS_BACK:
            self._kept.popleft().glance.wipe()

    @property
    def raised(self) -> frozenset[Cue]:
        found = {Cue.EDGES_FOLLOW: self.edges.raised, Cue.BADGE_FOLLOWS: self.badge.raised}
        return frozenset(cue for cue, raised in found.items() if raised)

    def wipe(self) -> None:
        """Overwrite what is kept of the pictures; what was found in them stays."""
        for kept in self._kept:
            kept.glance.wipe()
        self._kept.clear()
        self._window = None

    def _compare(self, before: _Kept, after: _Kept) -> None:
        old, new = before.glance, after.glance
        motion = follow(old, new)
        if motion is None or motion.everything:
            return
        if motion.moved >= MIN_MOVE_PX:
            self.edges.add(edges.carried(before.segments, after.segments, motion, old.face))
        if old.code is not None and new.code is not None:
            found = badge.apart(old.code, new.code, motion, old.face)
            if found is not None:
                self.badge.add(*found)
