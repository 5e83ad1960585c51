"""Who answered for what: any entry of the ledger, told as the chain of responsibility it is part of."""
