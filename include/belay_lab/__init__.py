"""Worlds to try Belay on: a simulated shop, recorded experiments, quarters of autonomy, and the demo.

A package of its own: it uses the product, and the product imports none of it.
"""
