"""What a step's data say: the registered plan, the metrics read once for look and review, the holdout."""
