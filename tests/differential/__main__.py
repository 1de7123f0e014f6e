"""``python -m tests.differential``: write the pages that tell what is compared."""

from __future__ import annotations

from tests.differential import count
from tests.differential.events import page as events

for path, text in ((count.PAGE, count.page()), (events.PAGE, events.page())):
    path.write_text(text, encoding="utf-8")
    print(f"{path} is written")
