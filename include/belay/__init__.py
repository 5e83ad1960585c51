"""Belay: AI can optimise; only people can take responsibility."""

__version__ = "0.1.0"
