"""A recording played again, one side of it; what is said when, and what differs from it."""
