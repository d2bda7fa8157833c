"""Widgets: places on the screen that show what painters make."""
