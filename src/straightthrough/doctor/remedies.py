"""The line to write instead: made from the user's own line where it can be, else a sentence."""

from __future__ import annotations

import ast

from straightthrough import _registry
from straightthrough.programs import Place
from straightthrough.programs._names import canonical

_SYMBOLS = {
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_READY = {"argmax": "one_hot_argmax", "argmin": "one_hot_argmin", "top_k": "top_k_mask"}
"""Where the ready operation's result is another: a one-hot or a mask, never an index."""

_SENTENCES = {
    (
        "cut",
        "stop_gradient",
    ): "remove the stop, or freeze what stands before it",
    ("cut", "item"): "keep it an array: a Python number carries no gradient",
    ("cut", "numpy"): "keep it an array of the framework: numpy carries no gradient",
    ("cut", "cast"): "keep the float, and round it with ste.round(x); an integer carries no gradient",
    ("cut", "categorical"): "use weights over the candidates, such as a softmax, or an estimator for the draw",
    ("cut", "multinomial"): "use weights over the candidates, such as a softmax, or an estimator for the draw",
    ("cut", "bernoulli"): "compare with a uniform draw: ste.greater(probability, u)",
    ("non_finite", "sqrt"): "give the square root no 0: s = where(x > 0, x, 1), then where(x > 0, sqrt(s), 0)",
    ("non_finite", "norm"): "add a small number under the root: sqrt(sum(x * x) + 1e-12)",
    ("non_finite", "log"): "give the logarithm no 0: log(x + 1e-12), or where(x > 0, x, 1) before it",
    ("non_finite", "divide"): "choose before dividing: x / where(y == 0, 1, y), then the outer where",
    (
        "non_finite",
        "softmax",
    ): "a row masked everywhere has no softmax: leave an entry, or mask with a large finite number",
    (
        "saturated",
        "relu",
    ): "its input is negative everywhere: look at the bias, the learning rate or the scale before it",
    ("saturated", "clip"): "its input lies outside the range: scale it, or widen the range, or ste.clip(x, low, high)",
}
_GENERAL = {
    "flat": "give it a proxy: ste.with_proxy(operator, 'identity')",
    "cut": "give it a proxy before the value stops being a float",
    "tie": "break the tie: start from different values, or add a little noise",
    "saturated": "bring its input into the range where its slope is not 0, or use a wider proxy",
    "non_finite": "keep its input away from the point where its derivative is infinite",
}


def remedy(kind: str, operator: str, place: Place | None) -> str:
    """What to write in place of the line, or what to do."""
    if kind in ("flat", "cut"):
        rewritten = _rewritten(operator, place)
        if rewritten is not None:
            return rewritten
        name = _READY.get(operator, operator)
        if name in _registry.operations:
            return f"ste.{name}(x)"
    return _SENTENCES.get((kind, operator)) or _GENERAL[kind]


def _rewritten(operator: str, place: Place | None) -> str | None:
    """The user's line with the operator replaced by the ready operation of the same value."""
    if operator not in _registry.operations or place is None:
        return None
    try:
        tree = ast.parse(place.text)
    except SyntaxError:  # the first line of a longer statement
        return None
    changed = _Replacing(operator)
    tree = changed.visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) if changed.done == 1 else None


class _Replacing(ast.NodeTransformer):
    """Replaces the one call or comparison of an operator; two of them on a line are left to the reader."""

    def __init__(self, operator: str):
        self._operator = operator
        self.done = 0

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1 or _SYMBOLS.get(type(node.ops[0])) != self._operator:
            return node
        return self._call([node.left, node.comparators[0]])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute) or canonical(node.func.attr) != self._operator or node.keywords:
            return node
        owner = node.func.value
        is_module = isinstance(owner, ast.Name) and owner.id in ("torch", "tf", "jnp", "np", "lax", "F", "ops")
        is_module = is_module or (isinstance(owner, ast.Attribute) and owner.attr in ("math", "numpy", "lax", "ops"))
        return self._call([*([] if is_module else [owner]), *node.args])

    def _call(self, arguments: list[ast.expr]) -> ast.AST:
        self.done += 1
        function = ast.Attribute(ast.Name("ste", ast.Load()), self._operator, ast.Load())
        return ast.Call(function, arguments, [])
