"""The watch over everything live, in every state. It can only narrow."""
