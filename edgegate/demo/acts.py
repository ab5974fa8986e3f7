"""What happens at the demo's gate, and what the gate must say to it."""

from __future__ import annotations

from dataclasses import dataclass

from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene
from edgegate.camera.stage import WIFI, code_image
from edgegate.demo.cast import Cast
from edgegate.model import Button, Reason
from edgegate.state import HintKind


@dataclass(frozen=True, slots=True)
class Act:
    """A scene and its outcome: a hint, or reasons in order, or both."""

    title: str
    scene: Scene
    expect: tuple[Reason, ...] = ()
    hint: HintKind | None = None
    press: Button | None = None
    """What the supervisor presses after the first decision, or when the gate asks."""
    unplug: bool = False
    arm: bool = False
    """The office says that somebody comes to withdraw consent."""

    @property
    def volunteer(self) -> bool:
        """Is a volunteer's valid badge shown? Only then may a face be looked at."""
        return bool({Reason.MATCH, Reason.NO_MATCH, Reason.NO_FACE, Reason.SEVERAL_FACES} & set(self.expect))

    @property
    def expected(self) -> tuple[str, ...]:
        hints = (self.hint.value,) if self.hint else ()
        return (*hints, *(reason.value for reason in self.expect))


def acts(cast: Cast) -> list[Act]:
    """The whole play."""

    def scene(*people: str, badge: str = "", phone: bool = False) -> Scene:
        held = cast.badges[badge] if badge else None
        return Scene(tuple(portrait(name) for name in people), held, "phone" if phone else "card")

    return [
        Act(
            "a volunteer with the own badge, on a phone",
            scene("astronaut", badge="astronaut", phone=True),
            (Reason.MATCH,),
        ),
        Act("another volunteer with the own badge, on a card", scene("group-1", badge="group-1"), (Reason.MATCH,)),
        Act(
            "a stolen badge held by another face",
            scene("group-5", badge="astronaut"),
            (Reason.NO_MATCH,),
            press=Button.ACKNOWLEDGE,
        ),
        Act(
            "a diary badge, then the supervisor's button",
            scene("group-3", badge="diary"),
            (Reason.NOT_ENROLLED, Reason.SUPERVISOR),
            press=Button.DIARY,
        ),
        Act("a revoked badge", scene("group-1", badge="lost"), (Reason.REVOKED,), press=Button.ACKNOWLEDGE),
        Act("a forged signature", scene("group-6", badge="forged"), (Reason.FORGED,)),
        Act("an expired badge", scene("group-3", badge="expired"), (Reason.BADGE_EXPIRED,)),
        Act("a badge this gate does not know", scene("group-4", badge="unknown"), (Reason.UNKNOWN_BADGE,)),
        Act(
            "no face, only a badge",
            scene(badge="group-5"),
            (Reason.NO_FACE,),
            hint=HintKind.LOOK_AT_CAMERA,
        ),
        Act(
            "two faces at the badge",
            scene("group-1", "group-2", badge="group-1"),
            (Reason.SEVERAL_FACES,),
            hint=HintKind.ONE_AT_A_TIME,
        ),
        Act(
            "a Wi-Fi code, no badge",
            Scene((portrait("group-3"),), code_image(WIFI), "phone"),
            hint=HintKind.NOT_A_BADGE,
        ),
        Act(
            "a consent withdrawn at the gate",
            scene("group-5", badge="group-5"),
            (Reason.NOT_ENROLLED,),
            hint=HintKind.WITHDRAWAL_ARMED,
            press=Button.DIARY,
            arm=True,
        ),
        Act("the camera is unplugged, and plugged in again", scene(), (Reason.CAMERA_LOST,), unplug=True),
        Act("and the gate works again", scene("astronaut", badge="astronaut"), (Reason.MATCH,)),
    ]
