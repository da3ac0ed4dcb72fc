"""What was done: the history of a space, and taking an operation back."""
