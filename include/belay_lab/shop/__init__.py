"""A simulated shop whose customers see what the flags say, and whose events fill a lake."""
