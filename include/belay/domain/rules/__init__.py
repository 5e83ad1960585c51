"""The rules, one file a subject. Each is a pure function from state and command to events or a refusal."""
