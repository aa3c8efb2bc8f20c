"""Whether this thread wants the hard operators alone; set by `straightthrough.hard`, seen by operations and tables."""

from __future__ import annotations

import threading


class _Mode(threading.local):
    """Per thread: one thread may export while another trains."""

    hard_only = False


mode = _Mode()
