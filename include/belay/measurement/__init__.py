"""What the cells say: sufficient statistics to findings.

The path is legible from the names: `strata → compare → effects → monitor, decision → document`.
Nothing here reads a warehouse or a clock, keeps state or decides about scope.
"""
