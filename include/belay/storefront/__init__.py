"""The simulated shop and recorded experiments: worlds that the gates can be tried on.

``simulate`` lets visitors arrive with a daily and weekly rhythm, lets them see what the flags say (``assign``
asks OpenFeature), and writes what they do as Parquet parts (``lake``), hour by hour, while data time runs as
fast as asked. The truth about every optimization, and about what breaks in the data, is in a ``scenario``.

``recorded`` reads real experiments into the same tables, and ``replay`` walks one through the same gates, as
if it were happening now.
"""
