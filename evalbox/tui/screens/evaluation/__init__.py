"""The screen of one evaluation: a module for each of its panes."""

from evalbox.tui.screens.evaluation.screen import EvaluationScreen

__all__ = ["EvaluationScreen"]
