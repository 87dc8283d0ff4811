"""What a claim is, the rule that decides it, and the verdict, which its evidence must be able to carry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Interval, Kind
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence

OWN = (Kind.MEASURED, Kind.DERIVED)
_ROUNDING = 1e-9  # the difference of two printed decimals is not exact

Entries = Sequence[Entry]


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_COMPARABLE = "not comparable"
    NOT_CHECKABLE = "not checkable"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Discrepancy:
    """What the document claims and what is found instead, both in ``unit``."""

    claimed: float
    found: float
    unit: str

    @property
    def size(self) -> float:
        """To order by: 0 where both are equal, 1 where one is 0, up to 2 where their signs differ."""
        largest = max(abs(self.claimed), abs(self.found))
        return abs(self.claimed - self.found) / largest if largest else 0.0


class Rule(BaseModel):
    """How a claim is decided: a comparison by ``name``, with its parameters from ``claims.yml``.

    An unknown parameter is an error, and so is one of a wrong type.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        """The verdict on ``claim`` by the records ``entries`` and by architectures.

        Raises:
            RequestError: the rule asks for a figure that the document does not print as the claim quotes it.
        """
        raise NotImplementedError


class Claim(BaseModel):
    """One statement of the published document.

    ``where`` is its heading there. ``published`` is the number it states, in ``unit``; another number agrees within
    ``tolerance``, which is absent if the rule compares no number with it. A claim that one thing is more than another
    has a bound instead, ``above`` or ``below``. There is no field for a verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    where: str
    statement: str
    published: float | None = None
    unit: str = ""
    kind: Literal[Kind.PUBLISHED, Kind.ESTIMATED] = Kind.PUBLISHED
    tolerance: float | None = Field(default=None, gt=0)
    above: float | None = None
    below: float | None = None
    rule: Rule

    @property
    def bound(self) -> float | None:
        return self.below if self.above is None else self.above

    @property
    def accepted(self) -> tuple[float, float]:
        """Numbers between these two, both left out, agree with the claim; every claim that compares numbers has them.

        Raises:
            RequestError: the claim has neither a number with a tolerance nor a bound.
        """
        if self.bound is not None:
            return (-math.inf, self.bound) if self.above is None else (self.bound, math.inf)
        if self.published is None or self.tolerance is None:
            raise RequestError(f"claim '{self.id}' needs 'published' and 'tolerance', or 'above', or 'below'")
        margin = self.tolerance + _ROUNDING
        return self.published - margin, self.published + margin

    def discrepancy(self, found: float, stated: float | None = None) -> Discrepancy | None:
        """The number that it states, or that the document's figures give, against ``found``."""
        claimed = stated if self.published is None else self.published
        return None if claimed is None else Discrepancy(claimed, found, self.unit)

    def agrees(self, value: float) -> bool:
        """Whether ``value`` is what the claim says."""
        low, high = self.accepted
        return low < value < high

    def verdict(self, value: float, interval: Interval | None = None, *, complete: bool = True) -> Verdict:
        """The verdict that our ``value`` of the claimed quantity gives.

        ``complete``: it rests on as many images as the published one. If not, or if the claim states a bound, the
        whole interval has to agree; without one of an incomplete value nothing is decided. A value that does not agree
        refutes, unless its interval still reaches what does.
        """
        if interval is None and not complete:
            return Verdict.NOT_MEASURED
        low, high = self.accepted
        if self.agrees(value):
            whole = interval is not None and self.agrees(interval.low) and self.agrees(interval.high)
            enough = complete and (interval is None or self.bound is None)
            return Verdict.CONFIRMED if enough or whole else Verdict.NOT_MEASURED
        reached = interval is not None and interval.low < high and low < interval.high
        return Verdict.NOT_MEASURED if reached else Verdict.REFUTED


@dataclass(frozen=True)
class EvaluatedClaim:
    """A claim with its verdict and the sentences that show why.

    ``contradiction``: the document's own figures or words rule the claim out. Apart from that, measured and derived
    numbers alone confirm or refute. A decided claim has a ``discrepancy`` where it compares numbers, and a refuted one
    a ``correction``: what holds instead, in one sentence.

    Raises:
        ValueError: the evidence cannot carry the verdict.
    """

    claim: Claim
    verdict: Verdict
    evidence: tuple[Sentence, ...]
    contradiction: bool = False
    discrepancy: Discrepancy | None = None
    correction: Sentence = ()

    def __post_init__(self) -> None:
        decided = self.verdict in (Verdict.CONFIRMED, Verdict.REFUTED)
        if self.contradiction and self.verdict != Verdict.REFUTED:
            raise ValueError(f"a contradiction refutes; it cannot make a claim '{self.verdict}'")
        if decided and not self.contradiction and not any(number.kind in OWN for number in self.numbers):
            raise ValueError(f"'{self.verdict}' rests on no measured or derived number")
        if (self.verdict == Verdict.REFUTED) != bool(self.correction):
            raise ValueError("a claim has a correction exactly where it is refuted")

    @property
    def numbers(self) -> list[Number]:
        """The numbers of the evidence, in its order."""
        return numbers(self.evidence)

    @property
    def basis(self) -> str:
        """What the verdict rests on, in a word or two."""
        if self.verdict == Verdict.NOT_MEASURED:
            return "nothing measured yet"
        if self.verdict == Verdict.NOT_CHECKABLE:
            return "what the document leaves out"
        if self.verdict == Verdict.NOT_COMPARABLE:
            return "figures that are not independent" if caveats(self.evidence) else "the protocols"
        if self.contradiction:
            return "the document itself"
        return "measurement" if any(number.kind == Kind.MEASURED for number in self.numbers) else "arithmetic"


def decide(
    claim: Claim,
    verdict: Verdict,
    evidence: Sequence[Sentence],
    *,
    discrepancy: Discrepancy | None = None,
    correction: Sentence = (),
    contradiction: bool = False,
) -> EvaluatedClaim:
    """``claim`` with ``verdict``, unless a number of the evidence is not independent of its tokenizer.

    Such a number is shown and decides nothing: a claim that rests on it is not comparable. ``discrepancy`` is kept
    where the claim is decided, ``correction`` where it is refuted.
    """
    disclosed = caveats(evidence)
    if disclosed:
        evidence = [*evidence, *((caveat,) for caveat in disclosed)]
        return EvaluatedClaim(claim, Verdict.NOT_COMPARABLE, tuple(evidence))
    if verdict != Verdict.REFUTED:
        correction = ()
        discrepancy = discrepancy if verdict == Verdict.CONFIRMED else None
    return EvaluatedClaim(claim, verdict, tuple(evidence), contradiction, discrepancy, correction)


def numbers(evidence: Sequence[Sentence]) -> list[Number]:
    return [part for sentence in evidence for part in sentence if isinstance(part, Number)]


def caveats(evidence: Sequence[Sentence]) -> list[str]:
    """Why numbers of ``evidence`` are not independent of their tokenizers, each reason once."""
    return list(dict.fromkeys(number.caveat for number in numbers(evidence) if number.caveat))
