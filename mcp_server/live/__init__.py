"""What a person is told while a client listens: which of the addresses it watches have changed."""
