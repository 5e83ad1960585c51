"""What the data says: metrics to one GROUP BY in the warehouse, sufficient statistics to findings.

The path is legible from the names: `plan → warehouse → cells → strata → monitor, decision → document`.
Nothing here reads a clock, keeps state or decides about scope.
"""
