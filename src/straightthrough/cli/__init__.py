"""The command `ste`: one file per command, and `app.py` that puts them together."""
