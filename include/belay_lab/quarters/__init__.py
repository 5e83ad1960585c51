"""Agents of known skill through simulated quarters: do the rules promote the right ones?"""
