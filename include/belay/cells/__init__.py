"""What a measurement is made of: its plan, and the cells (sufficient statistics) that one look gives."""
