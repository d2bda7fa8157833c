"""Screens: which widgets there are, and what the keys do."""
