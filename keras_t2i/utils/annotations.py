"""Names for what public functions take and give, for type checkers and editors."""

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Literal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Place: TypeAlias = str | Path
Array: TypeAlias = NDArray[Any]
Picture: TypeAlias = NDArray[np.uint8]  # (h, w, 3), 4 where it is transparent
Pictures: TypeAlias = Picture | Sequence[Picture]  # (n, h, w, 3)
Captions: TypeAlias = str | Sequence[str]
Prompts: TypeAlias = Captions | Mapping[str, Captions]  # "prompts", and perhaps "negative_prompts"
Seed: TypeAlias = int | Sequence[int] | NDArray[np.integer] | None
Size: TypeAlias = int | tuple[int, int] | None
Background: TypeAlias = str | tuple[int, int, int] | None
Guidance: TypeAlias = float | tuple[float, float, float] | None
Masks: TypeAlias = NDArray[np.bool_] | Sequence[NDArray[np.bool_]]
WeightsDtype: TypeAlias = Literal["float32", "float16", "bfloat16"]
