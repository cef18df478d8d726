"""What the screens show, folded from a box's lists and events. Nothing here imports Textual."""
