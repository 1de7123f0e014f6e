"""``python -m tests.differential``: write the page that tells what is compared."""

from __future__ import annotations

from tests.differential.count import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
print(f"{PAGE} is written")
