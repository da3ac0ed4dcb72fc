"""`OAuthRefusal`: what the issuer tells a program that asked for something it cannot have."""


class OAuthRefusal(Exception):
    """An error of RFC 6749, 7591 or 8707: its registered code, and words for whoever wrote the program."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
