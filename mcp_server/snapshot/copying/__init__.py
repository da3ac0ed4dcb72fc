"""From the rows of one person to the bytes of a private database."""
