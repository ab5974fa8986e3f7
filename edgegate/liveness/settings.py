"""What a liveness pack's `pack.yaml` says to its engine: the files and how to feed them, the thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgegate.errors import EdgeGateError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Model(_Part):
    """One file. `scale` is how many times the face box is widened before it is cut out."""

    file: str
    scale: Annotated[float, Field(ge=1, le=8)] = 1.0


class Input(_Part):
    """What the models take: a square crop of `size` pixels, its channels in this order, values from 0 to `range`."""

    size: Annotated[int, Field(ge=32, le=512)] = 80
    colour: Literal["bgr", "rgb"] = "bgr"
    range: Literal[1, 255] = 255


class Thresholds(_Part):
    """Of the mean score of a presentation."""

    live: Annotated[float, Field(gt=0, le=1)]
    spoof: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        if self.spoof > self.live:
            raise ValueError("thresholds.spoof is above thresholds.live")
        return self


class Settings(_Part):
    """A manifest, as far as an engine reads it; where it names no thresholds, the engine's own serve."""

    name: str
    engine: str
    models: Annotated[tuple[Model, ...], Field(min_length=1, max_length=8)]
    input: Input = Input()
    live_class: Annotated[int, Field(ge=0, le=63)] = 1
    thresholds: Thresholds | None = None
    measured_on: str = "nothing of this school's"


def parse(data: bytes, path: Path) -> Settings:
    """The bytes of the manifest `path`. Raises EdgeGateError when they are none."""
    try:
        return Settings.model_validate(yaml.safe_load(data))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc'])) or 'manifest'}: {first['msg']}"
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        what = "it is not YAML"
    raise EdgeGateError(f"is no manifest of a liveness pack ({what})", where=str(path), next="import the pack again")
