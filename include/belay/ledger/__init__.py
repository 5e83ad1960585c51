"""The ledger: append-only, hash-chained, the only truth. Tables derived from it can be rebuilt."""
