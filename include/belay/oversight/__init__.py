"""Who may decide, and what they decided: votes, vetoes, delegation, policies in force, supervision."""
