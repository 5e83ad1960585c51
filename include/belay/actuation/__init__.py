"""Who writes flags: widen and narrow by intent, write, read back, confirm; take down; outbox; reconcile."""
