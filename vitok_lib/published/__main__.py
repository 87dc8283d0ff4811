"""``python -m vitok_lib.published``: write the published figures as records into ``results/published``."""

from __future__ import annotations

from vitok_lib.published.study import PUBLISHED, write_published
from vitok_lib.records.store import results_root


def main() -> None:
    print(f"{len(write_published())} records in {results_root() / PUBLISHED}")


if __name__ == "__main__":
    main()
