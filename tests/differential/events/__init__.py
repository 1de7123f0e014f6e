"""Events of every type: how each is caused, and what the three parties hear of it."""
