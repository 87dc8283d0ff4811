"""What a claim is, the rule that decides it, and the verdict, which its evidence must be able to carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

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
    NOT_MEASURED = "not measured"


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
    ``tolerance``, which is absent if the rule compares no number with it. There is no field for a verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    where: str
    statement: str
    published: float | None = None
    unit: str = ""
    kind: Literal[Kind.PUBLISHED, Kind.ESTIMATED] = Kind.PUBLISHED
    tolerance: float | None = Field(default=None, gt=0)
    rule: Rule

    @property
    def stated(self) -> tuple[float, float]:
        """The published number and its tolerance; every claim whose rule compares numbers has both."""
        assert self.published is not None
        assert self.tolerance is not None
        return self.published, self.tolerance

    def near(self, value: float) -> bool:
        """Whether ``value`` agrees with the published number."""
        published, tolerance = self.stated
        return abs(value - published) <= tolerance + _ROUNDING

    def verdict(self, value: float, interval: Interval | None = None, *, complete: bool = True) -> Verdict:
        """The verdict that our ``value`` of the claimed quantity gives.

        ``complete``: it rests on as many images as the published one. If not, the whole interval has to agree, and
        without one nothing is decided. A value outside the tolerance refutes, unless its interval still reaches the
        published one.
        """
        if interval is None and not complete:
            return Verdict.NOT_MEASURED
        published, tolerance = self.stated
        if self.near(value):
            whole = interval is not None and self.near(interval.low) and self.near(interval.high)
            return Verdict.CONFIRMED if complete or whole else Verdict.NOT_MEASURED
        reached = interval is not None and interval.low - tolerance <= published <= interval.high + tolerance
        return Verdict.NOT_MEASURED if reached else Verdict.REFUTED


@dataclass(frozen=True)
class EvaluatedClaim:
    """A claim with its verdict and the sentences that show why.

    ``contradiction``: the document's own figures or words rule the claim out. Apart from that, measured and derived
    numbers alone confirm or refute.

    Raises:
        ValueError: the evidence cannot carry the verdict.
    """

    claim: Claim
    verdict: Verdict
    evidence: tuple[Sentence, ...]
    contradiction: bool = False

    def __post_init__(self) -> None:
        decided = self.verdict in (Verdict.CONFIRMED, Verdict.REFUTED)
        if self.contradiction and self.verdict != Verdict.REFUTED:
            raise ValueError(f"a contradiction refutes; it cannot make a claim '{self.verdict}'")
        if decided and not self.contradiction and not any(number.kind in OWN for number in self.numbers):
            raise ValueError(f"'{self.verdict}' rests on no measured or derived number")

    @property
    def numbers(self) -> list[Number]:
        """The numbers of the evidence, in its order."""
        return numbers(self.evidence)

    @property
    def basis(self) -> str:
        """What the verdict rests on, in a word or two."""
        if self.verdict == Verdict.NOT_MEASURED:
            return "nothing measured yet"
        if self.verdict == Verdict.NOT_COMPARABLE:
            return "figures that are not independent" if caveats(self.evidence) else "the protocols"
        if self.contradiction:
            return "the document itself"
        return "measurement" if any(map(_of_a_run, self.numbers)) else "arithmetic"


def decide(
    claim: Claim, verdict: Verdict, evidence: Sequence[Sentence], *, contradiction: bool = False
) -> EvaluatedClaim:
    """``claim`` with ``verdict``, unless a number of the evidence is not independent of its tokenizer.

    Such a number is shown and decides nothing: a claim that rests on it is not comparable.
    """
    disclosed = caveats(evidence)
    if disclosed:
        evidence = [*evidence, *((caveat,) for caveat in disclosed)]
        return EvaluatedClaim(claim, Verdict.NOT_COMPARABLE, tuple(evidence))
    return EvaluatedClaim(claim, verdict, tuple(evidence), contradiction)


def numbers(evidence: Sequence[Sentence]) -> list[Number]:
    return [part for sentence in evidence for part in sentence if isinstance(part, Number)]


def caveats(evidence: Sequence[Sentence]) -> list[str]:
    """Why numbers of ``evidence`` are not independent of their tokenizers, each reason once."""
    return list(dict.fromkeys(number.caveat for number in numbers(evidence) if number.caveat))


def _of_a_run(number: Number) -> bool:
    """Whether ``number`` was measured, or is arithmetic on a measurement: that leads to the record of a run."""
    return number.kind == Kind.MEASURED or (number.kind == Kind.DERIVED and number.anchor is not None)
