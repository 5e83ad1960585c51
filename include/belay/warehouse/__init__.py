"""The one door to the warehouse: connections, what there is in it, times and types read alike."""
