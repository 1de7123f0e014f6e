"""What of a message is secret: by its type, in its bytes, in its texts; and how that is hidden."""
