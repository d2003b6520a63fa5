"""What the package is measured beside, each written as its own documentation shows."""
