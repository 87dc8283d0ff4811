"""What a page asks of a directive: its arguments and options, read or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import Entry


@dataclass(frozen=True)
class Request:
    """A directive on a page, with the records at hand. Options that list names have spaces or commas between them."""

    name: str
    arguments: Sequence[str]
    options: Mapping[str, str]
    entries: Sequence[Entry]

    @property
    def names(self) -> list[str]:
        """The words of all arguments."""
        return _words(" ".join(self.arguments))

    @property
    def quantity(self) -> str:
        return self.options.get("quantity", "psnr")

    @property
    def cases(self) -> list[str]:
        return self.required("cases", "photos-512")

    def words(self, option: str, default: str = "") -> list[str]:
        return _words(self.options.get(option, default))

    def required(self, option: str, example: str) -> list[str]:
        """The words of an option that must be there; a RequestError if it is not."""
        found = self.words(option)
        if not found:
            raise RequestError(f"directive '{self.name}' needs the option ':{option}:', such as ':{option}: {example}'")
        return found

    def pair(self) -> tuple[str, str]:
        """The two names of ``:tokenizers:``; a RequestError of any other number."""
        found = self.words("tokenizers")
        if len(found) != 2:
            raise RequestError(f"'{' '.join(self.arguments)}' needs two ':tokenizers:', not {len(found)}")
        return found[0], found[1]

    def sizes(self, default: str = "") -> list[int]:
        """``:resolutions:`` in pixels."""
        found = self.words("resolutions", default)
        if not found or not all(word.isdigit() for word in found):
            raise RequestError(f"'{' '.join(found)}' is no list of sizes in pixels, such as '1024 2048'")
        return [int(word) for word in found]

    def windows(self) -> list[int | None]:
        """``:windows:`` in tokens, where ``full`` is None and the default."""
        found = self.words("windows", "full")
        wrong = [word for word in found if word != "full" and not word.isdigit()]
        if wrong:
            raise RequestError(f"'{wrong[0]}' is no window: give 'full' or a radius in tokens")
        return [None if word == "full" else int(word) for word in found]

    def where(self) -> dict[str, str]:
        """``:where:``, pairs such as ``preset=fast window=*``, by their names."""
        pairs = [word.partition("=") for word in self.words("where")]
        wrong = [name for name, sign, value in pairs if not sign or not value]
        if wrong:
            given = self.options["where"]
            raise RequestError(f"':where: {given}' has '{wrong[0]}' without a value; give pairs such as 'preset=fast'")
        return {name: value for name, _, value in pairs}


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
