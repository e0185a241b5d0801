"""What the pages share: their look, and pictures inside the page, so that nothing is fetched."""

from __future__ import annotations

import base64

import cv2

from hoi_ros.view.render import Picture

STYLE = """
:root { color-scheme: light dark; --card: light-dark(#fff, #1d2023); --line: light-dark(#ddd, #34383c); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem;
  background: light-dark(#f6f5f2, #131517); color: light-dark(#222, #e6e6e6); }
figure { margin: 1.5rem 0; }
img { width: 100%; height: auto; border-radius: 8px; display: block; }
figcaption { margin-top: .4rem; opacity: .75; font-size: .9rem; }
table { border-collapse: collapse; background: var(--card); width: 100%; }
td, th { text-align: left; padding: .35rem .7rem; border: 1px solid var(--line); overflow-wrap: anywhere; }
details pre { overflow-x: auto; font-size: .8rem; }
"""
QUALITY = 82  # of WebP


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def embedded(image: Picture) -> str:
    """A picture (H, W, 3) as an address."""
    written, content = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not written:
        raise OSError(f"a picture of shape {image.shape} cannot be written as WebP")
    return data_uri(content.tobytes(), "webp")
