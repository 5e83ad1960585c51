"""How each kind of event changes the state, one file a family of events."""
