"""YAML to domain objects: every error names the file, the line, the value, and what would be right."""
