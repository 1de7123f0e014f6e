"""What hearing of events costs, beside the C binding."""
