"""The claims of the published document, read from ``claims.yml``, each with the verdict that its rule computes."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from vitok_lib.errors import RequestError, unknown
from vitok_lib.report.claims.rules.by_name import RULES
from vitok_lib.report.claims.verdict import Claim, Entries, Judged, Verdict

CLAIMS = Path(__file__).with_name("claims.yml")
_GIVEN = ("claim", "entries", "return")


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """The claims in the order of the document.

    Raises:
        RequestError: the file is missing or no YAML, a claim lacks a field, has one too many or one of a wrong type,
            an id stands twice, or a rule or its arguments are not known.
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
    try:
        claim = Claim.model_validate(fields)
    except ValidationError as error:
        raise _invalid(path, f"number {number}", error) from error
    if claim.rule not in RULES:
        raise unknown(f"rule of claim '{claim.id}'", claim.rule, RULES)
    return claim.model_copy(update={"arguments": _arguments(path, claim)})


def _arguments(path: Path, claim: Claim) -> dict[str, Any]:
    """The arguments as the rule's own signature asks for them."""
    rule = RULES[claim.rule]
    try:
        inspect.signature(rule).bind(claim, (), **claim.arguments)
    except TypeError as error:
        raise RequestError(f"'{path}', claim '{claim.id}': rule '{claim.rule}': {error}") from error
    hints = _types(claim.rule)
    checked = {}
    for name, value in claim.arguments.items():
        try:
            checked[name] = hints[name].validate_python(value)
        except ValidationError as error:
            raise _invalid(path, f"'{claim.id}', argument '{name}'", error) from error
    return checked


@cache
def _types(rule: str) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(RULES[rule])
    strict = ConfigDict(strict=True)
    return {name: TypeAdapter(hint, config=strict) for name, hint in hints.items() if name not in _GIVEN}


def _invalid(path: Path, which: str, error: ValidationError) -> RequestError:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return RequestError(f"'{path}', claim {which}: {f'{where}: ' if where else ''}{first['msg']}")


def judge(entries: Entries, claims: Sequence[Claim] | None = None) -> list[Judged]:
    """Each claim with the ruling on it, computed from ``entries`` and from architectures now.

    Raises:
        RequestError: a rule asks for a figure of the document that its record does not hold as the claim quotes it.
    """
    return [
        Judged(claim, RULES[claim.rule](claim, entries, **claim.arguments))
        for claim in (read_claims() if claims is None else claims)
    ]


def counts(judged: Sequence[Judged]) -> dict[Verdict, int]:
    """How many claims got each verdict."""
    found = Counter(item.verdict for item in judged)
    return {verdict: found[verdict] for verdict in Verdict}
