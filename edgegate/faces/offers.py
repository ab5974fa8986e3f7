"""The catalogue: packs that can be downloaded, as `catalogue.yaml` beside this file lists them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from edgegate.faces.manifest import Manifest


class Download(BaseModel):
    """One file on a server; an archive (ZIP) may hold more than the pack needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(pattern=r"^https://[\w./-]+$")]
    bytes: Annotated[int, Field(gt=0, le=1 << 30)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    archive: bool = False

    @property
    def file(self) -> str:
        """The name at the end of the address."""
        return self.url.rpartition("/")[2]


class Offer(BaseModel):
    """A pack that can be downloaded: what comes, and the manifest it gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: Manifest
    terms: str
    """Where its authors state their licence."""
    downloads: Annotated[tuple[Download, ...], Field(min_length=1)]

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def bytes(self) -> int:
        """How much is downloaded."""
        return sum(download.bytes for download in self.downloads)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Each file of the pack comes with one of the downloads, as the same bytes."""
        plain = {(part.file, part.bytes, part.sha256) for part in self.downloads if not part.archive}
        files = {(part.file, part.bytes, part.sha256) for part in self.manifest.files}
        if not plain <= files or (plain != files and not any(part.archive for part in self.downloads)):
            raise ValueError("the downloads are not the pack's files")
        if any(part.bytes is None for part in self.manifest.files):
            raise ValueError("a file's size is missing")
        return self


@cache
def offers() -> tuple[Offer, ...]:
    """All packs of the catalogue, the recommended one first."""
    text = Path(__file__).with_name("catalogue.yaml").read_text("utf-8")
    return TypeAdapter(tuple[Offer, ...]).validate_python(yaml.safe_load(text))
