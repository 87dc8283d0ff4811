"""What a claim is and what a rule says of it: a verdict that its evidence must be able to carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitok_lib.records.schema import Interval, Kind
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence

OWN = (Kind.MEASURED, Kind.DERIVED)
_ROUNDING = 1e-9  # the difference of two printed decimals is not exact


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


class Claim(BaseModel):
    """One statement of the published document.

    ``where`` is its heading there; ``published`` the number it states, in ``unit``, and ``tolerance`` how far from it
    another may be and still agree; none where its rule holds no other number against it. ``rule`` names what decides
    it, with ``arguments``. There is no field for a verdict.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    where: str
    statement: str
    published: float | None = None
    unit: str = ""
    kind: Literal[Kind.PUBLISHED, Kind.ESTIMATED] = Kind.PUBLISHED
    tolerance: float | None = Field(default=None, gt=0)
    rule: str
    arguments: dict[str, Any] = Field(default_factory=dict)

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


@dataclass(frozen=True)
class Ruling:
    """A verdict and the sentences that show why.

    ``contradiction``: the document's own figures, or its own words, rule the statement out. Apart from that a
    statement is confirmed or refuted by measured and derived numbers alone.

    Raises:
        ValueError: the evidence cannot carry the verdict.
    """

    verdict: Verdict
    evidence: tuple[Sentence, ...]
    contradiction: bool = False

    def __post_init__(self) -> None:
        decided = self.verdict in (Verdict.CONFIRMED, Verdict.REFUTED)
        if self.contradiction and self.verdict != Verdict.REFUTED:
            raise ValueError(f"a contradiction refutes; it cannot make a claim '{self.verdict}'")
        if decided and not self.contradiction and self.kinds.isdisjoint(OWN):
            raise ValueError(f"'{self.verdict}' rests on no measured or derived number")

    @property
    def kinds(self) -> set[Kind]:
        """The kinds of the numbers in the evidence."""
        return {number.kind for number in numbers(self.evidence)}

    @property
    def measured(self) -> bool:
        """Whether the evidence holds a measurement, or arithmetic on one: that leads to the record of a run."""
        return any(
            number.kind == Kind.MEASURED or (number.kind == Kind.DERIVED and number.anchor is not None)
            for number in numbers(self.evidence)
        )


Rule = Callable[..., Ruling]
"""``rule(claim, entries, **arguments)``."""


@dataclass(frozen=True)
class Judged:
    """A claim with the ruling on it."""

    claim: Claim
    ruling: Ruling

    @property
    def verdict(self) -> Verdict:
        return self.ruling.verdict

    @property
    def basis(self) -> str:
        """What the verdict rests on, in a word or two."""
        if self.verdict == Verdict.NOT_MEASURED:
            return "nothing measured yet"
        if self.verdict == Verdict.NOT_COMPARABLE:
            return "figures that are not independent" if caveats(self.ruling.evidence) else "the protocols"
        if self.ruling.contradiction:
            return "the document itself"
        return "measurement" if self.ruling.measured else "arithmetic"


def by_tolerance(claim: Claim, value: float, interval: Interval | None = None, *, complete: bool = True) -> Verdict:
    """The verdict that our ``value`` of the claimed quantity gives.

    ``complete``: it rests on as many images as the published one. If not, the whole interval has to agree, and without
    one nothing is settled. A value that is too far away refutes, unless its interval still reaches the published one:
    then nothing is settled either.
    """
    if interval is None and not complete:
        return Verdict.NOT_MEASURED
    published, tolerance = claim.stated
    if claim.near(value):
        whole = interval is not None and claim.near(interval.low) and claim.near(interval.high)
        return Verdict.CONFIRMED if complete or whole else Verdict.NOT_MEASURED
    reached = interval is not None and interval.low - tolerance <= published <= interval.high + tolerance
    return Verdict.NOT_MEASURED if reached else Verdict.REFUTED


def ruling(verdict: Verdict, evidence: Sequence[Sentence], *, contradiction: bool = False) -> Ruling:
    """The ruling of a rule: ``verdict``, unless a number in the evidence is not independent of its tokenizer.

    Such a number is shown and decides nothing, so that whatever rests on it is not comparable.
    """
    disclosed = caveats(evidence)
    if disclosed:
        return Ruling(Verdict.NOT_COMPARABLE, (*evidence, *((caveat,) for caveat in disclosed)))
    return Ruling(verdict, tuple(evidence), contradiction)


def numbers(evidence: Sequence[Sentence]) -> list[Number]:
    return [part for sentence in evidence for part in sentence if isinstance(part, Number)]


def caveats(evidence: Sequence[Sentence]) -> list[str]:
    """Why numbers of ``evidence`` are not independent of their tokenizers, each reason once."""
    return list(dict.fromkeys(number.caveat for number in numbers(evidence) if number.caveat))


Entries = Sequence[Entry]
