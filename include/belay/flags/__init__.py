"""What shows a scope to the product. One file a flag system, behind one small protocol."""
