"""By program: what to write on its marked lines so that it learns."""

REPAIRS = {}
