"""How much there is to scroll over, changed without drawing the whole screen anew."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


def resize(view: ScrollView, lines: int) -> None:
    """Says that ``view`` has so many lines.

    Textual lays the screen out, and sends all of it, whenever that number changes. That is needed
    only where the scrollbar comes or goes.
    """
    size = Size(view.scrollable_content_region.width, lines)
    if (lines > view.container_size.height) != view.show_vertical_scrollbar:
        view.virtual_size = size
    elif lines != view.virtual_size.height:
        view.set_reactive(Widget.virtual_size, size)
        view.vertical_scrollbar.window_virtual_size = lines
