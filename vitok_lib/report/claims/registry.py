"""The claims of the published document, read from ``claims.yml``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vitok_lib.errors import RequestError
from vitok_lib.report.claims.rules.by_name import Rules
from vitok_lib.report.claims.verdict import Claim

CLAIMS = Path(__file__).with_name("claims.yml")


class _Listed(Claim):
    """A claim with one of the rules that there are."""

    rule: Rules


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """The claims in the order of the document.

    Raises:
        RequestError: the file is missing or no YAML; a claim lacks a field, has an unknown one or one of a wrong type;
            an id occurs twice; or a rule or one of its parameters is unknown.
    """
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RequestError(f"'{path}' cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(listed, list):
        raise RequestError(f"'{path}' must hold a list of claims")
    claims = [_claim(path, number, fields) for number, fields in enumerate(listed, start=1)]
    for name, count in Counter(claim.id for claim in claims).items():
        if count > 1:
            raise RequestError(f"'{path}' holds claim '{name}' {count} times")
    return claims


def _claim(path: Path, number: int, fields: Any) -> Claim:
    named = isinstance(fields, dict) and isinstance(fields.get("id"), str)
    which = f"'{fields['id']}'" if named else f"number {number}"
    try:
        return _Listed.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RequestError(f"'{path}', claim {which}: {f'{where}: ' if where else ''}{first['msg']}") from error
