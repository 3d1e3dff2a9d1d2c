"""From a Vega-Lite specification to a picture, without a browser and without the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FORMATS = ("png", "svg", "json")


class DrawingNotInstalled(RuntimeError):
    """The renderer is an extra of the package that is not installed."""


def draw(specification: Mapping[str, Any], format: str, scale: float = 2.0) -> bytes:  # noqa: A002 - what it is
    """The picture as ``png`` (``scale`` pixels a point), ``svg``, or the specification itself as ``json``.

    Raises DrawingNotInstalled.
    """
    if format == "json":
        return json.dumps(specification, ensure_ascii=False, indent=1).encode() + b"\n"
    renderer = _renderer()
    # No address is allowed: a specification that somebody saved must not make this machine fetch anything.
    if format == "svg":
        return str(renderer.vegalite_to_svg(dict(specification), allowed_base_urls=[])).encode()
    return bytes(renderer.vegalite_to_png(dict(specification), scale=scale, allowed_base_urls=[]))


@cache
def _renderer() -> Any:
    """The renderer, with a font that has Chinese wherever it runs."""
    try:
        import noto_cjk_sans_otc
        import vl_convert
    except ImportError as error:
        raise DrawingNotInstalled("drawing needs the extra `charts`: pip install 'sluice[charts]'") from error
    vl_convert.register_font_directory(str(Path(str(noto_cjk_sans_otc.FONT_PATH)).parent))
    return vl_convert
