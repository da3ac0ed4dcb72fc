"""What is run for `token`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def mint(arguments: "argparse.Namespace") -> int:
    from shared.development import mint

    print(
        mint(
            arguments.data,
            arguments.subject,
            audience=arguments.audience,
            scopes=arguments.scopes,
            lifetime_s=arguments.ttl,
        )
    )
    return 0
