"""One answer being written: its state, the task that writes it, the stream that carries it, and what it leaves."""
