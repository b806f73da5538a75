"""`ImageOptions`: the options that `load_folder` and `load_csv` share, checked once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from imgclf import checks
from imgclf.data.cache import CacheLocation, CacheSettings
from imgclf.data.images import MAX_PIXELS, WHITE, ImageSpec
from imgclf.data.known_images import SplitLikeChoice, split_like_of
from imgclf.data.split import check_class_names

if TYPE_CHECKING:
    from imgclf.typing import ImageSize, RgbColor

__all__ = ["Color", "Exclude", "ImageOptions", "Resize", "WhiteLevel"]

Color = Literal["rgb", "gray"]
Resize = Literal["crop", "pad", "stretch"]

# The value of white in images of more than 8 bits, recognised from all of them, or by the mode.
WhiteLevel = float | Literal["auto"] | None

# A CSV file with a column `path`, or paths.
Exclude = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How image files become a data set; `load_folder` explains each option."""

    image_size: ImageSize | None = None
    color: Color | None = None
    resize: Resize = "crop"
    validation: float | None = 0.15
    test: float | None = 0.15
    class_names: Sequence[str] | None = None
    seed: int = 0
    max_skipped: float = 0.05
    exclude: Exclude | None = None
    max_pixels: int = MAX_PIXELS
    background: RgbColor = WHITE
    white_level: WhiteLevel = "auto"
    cache: CacheLocation | CacheSettings = "auto"
    split_like: SplitLikeChoice = None

    def __post_init__(self) -> None:
        checks.one_of("color", self.color, [None, "rgb", "gray"])
        spec = self.spec(1, None if self.white_level == "auto" else self.white_level)
        object.__setattr__(self, "background", spec.background)
        for name in ("validation", "test"):
            value = getattr(self, name)
            if value is not None:
                checks.number(name, value, low=0, high=1, below=True)
        checks.integer("seed", self.seed, low=0)
        checks.number("max_skipped", self.max_skipped, low=0, high=1)
        if self.class_names is not None:
            object.__setattr__(self, "class_names", check_class_names(self.class_names))
        object.__setattr__(self, "cache", CacheSettings.of(self.cache))
        object.__setattr__(self, "split_like", split_like_of(self.split_like))

    def spec(self, channels: int, white_level: float | None) -> ImageSpec:
        """How these options read images."""
        return ImageSpec(
            self.image_size,
            channels,
            self.resize,
            self.max_pixels,
            self.background,
            white_level,
        )
