"""What people are asked, in words: the same for every channel that asks them."""
