"""Flags of the AWS-compatible endpoint, and the files they name, as its settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from express.config import AccessKey, Api

Listen = Annotated[str | None, typer.Option("--api", metavar="HOST:PORT", help="The API of Step Functions.  [default: 127.0.0.1:8083]")]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file with the bearer token of whoever may ask.")]
Credentials = Annotated[Path | None, typer.Option(metavar="FILE", help="Access keys of whoever may ask, as ~/.aws/credentials has them.")]


def settings(
    listen: str | None, data: Path | None, functions: Sequence[Path], token: Path | None, credentials: Path | None, given: Api | None = None
) -> Api:
    """What flags say, over what the configuration says. OSError for a file that cannot be read, ConfigurationError for what is in it."""
    import msgspec

    from express.config import Api

    found = Api() if given is None else given
    if listen is not None:
        found = msgspec.structs.replace(found, listen=listen)
    if data is not None:
        found = msgspec.structs.replace(found, data=str(data.absolute()))
    if functions:
        found = msgspec.structs.replace(found, functions=(*found.functions, *(str(file.absolute()) for file in functions)))
    if token is not None:
        found = msgspec.structs.replace(found, token=token.read_text(encoding="utf-8").strip())
    if credentials is not None:
        found = msgspec.structs.replace(found, keys=(*found.keys, *_keys(credentials)))
    return found


def _keys(path: Path) -> list[AccessKey]:
    """Every profile's."""
    import configparser

    from express.config import AccessKey
    from express.errors import ConfigurationError

    profiles = configparser.RawConfigParser()
    try:
        profiles.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        raise ConfigurationError(f"{path}: expected access keys as ~/.aws/credentials has them") from None
    found = [
        AccessKey(access_key_id=profile["aws_access_key_id"], secret_access_key=profile["aws_secret_access_key"])
        for profile in profiles.values()
        if "aws_access_key_id" in profile and "aws_secret_access_key" in profile
    ]
    if not found:
        raise ConfigurationError(f"{path}: expected a profile with aws_access_key_id and aws_secret_access_key, found none")
    return found
