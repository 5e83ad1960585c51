"""The only reader of the warehouse: connections, what there is in it, what an event is; cells come out."""
