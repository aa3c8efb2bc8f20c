"""For the reference pages: shows operations and proxies as they are called, not as their rules are written.

A rule is written over an array table, ``def sign(xp, x)`` under ``@operation("clipped_identity", ...)``, and called
``sign(x, proxy="clipped_identity")``. A proxy is written ``def clipped_relu(xp, x, width)`` under
``@proxy_family({"width": positive(1.0)}, ...)``, and called ``clipped_relu(width=1.0)``.

Of the modules whose names a package re-exports (``from .clips import relu as relu``), the pages show those names only.
"""

import ast
import re
import textwrap
from typing import Any

import griffe

OUR_SECTION = re.compile(r"^(Gradient|Source):\n((?:    .*(?:\n|$)|\n(?=    ))+)", re.MULTILINE)


def _plain_section(title: str, body: str) -> str:
    return f"\n\n**{title}:**\n\n{textwrap.dedent(body).strip()}\n"


class CalledSignatures(griffe.Extension):
    """Rewrites the parameters of what `operation` and `proxy_family` decorate, and hides what is not re-exported."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.name.startswith("__"):
            obj.public = False
        if obj.docstring:
            # The house writes `Example:`; only the plural is a section that shows code as code.
            text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            # Sections that only we have: text under a bold word, like the others.
            obj.docstring.value = OUR_SECTION.sub(lambda found: _plain_section(found[1], found[2]), text)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        for package in (pkg, pkg.modules["proxies"]):
            shown = {member.target_path for member in package.members.values() if member.is_alias}
            for path in {target.rpartition(".")[0] for target in shown}:
                # A module that is re-exported itself, such as `schedule`, shows all that it has.
                if path.startswith(f"{package.path}.") and path not in shown:
                    for member in pkg[path.removeprefix(f"{pkg.path}.")].members.values():
                        member.public = member.path in shown

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        for decorator in func.decorators:
            call = ast.parse(str(decorator.value), mode="eval").body
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if call.func.id == "operation":
                self._operation(func, call)
            elif call.func.id == "proxy_family":
                self._family(func, call)

    def _operation(self, func: griffe.Function, call: ast.Call) -> None:
        default = ast.unparse(call.args[0]) if call.args else None
        kept = [parameter for parameter in func.parameters if parameter.name != "xp"]
        proxy = griffe.Parameter("proxy", kind=griffe.ParameterKind.keyword_only, default=default)
        func.parameters = griffe.Parameters(*kept, proxy)
        reason = self._text(func, {word.arg: word.value for word in call.keywords}.get("reason"))
        if reason and func.docstring:
            func.docstring.value += _plain_section("Default proxy", f"`{ast.literal_eval(call.args[0])}`: {reason}.")

    @staticmethod
    def _text(func: griffe.Function, node: ast.expr | None) -> str | None:
        """A text, or a constant of the module that is one."""
        if isinstance(node, ast.Name) and func.parent and node.id in func.parent.members:
            node = ast.parse(str(func.parent.members[node.id].value), mode="eval").body
        return str(node.value) if isinstance(node, ast.Constant) else None

    def _family(self, func: griffe.Function, call: ast.Call) -> None:
        ranges = call.args[0] if call.args and isinstance(call.args[0], ast.Dict) else ast.Dict([], [])
        made = [
            griffe.Parameter(
                ast.literal_eval(key),
                kind=griffe.ParameterKind.keyword_only,
                default=ast.unparse(value.args[-1]) if isinstance(value, ast.Call) and value.args else None,
            )
            for key, value in zip(ranges.keys, ranges.values, strict=True)
            if key is not None
        ]
        func.parameters = griffe.Parameters(*made)
        func.returns = None
        source = self._text(func, {word.arg: word.value for word in call.keywords}.get("source"))
        if source and func.docstring:
            func.docstring.value += _plain_section("Source", source + ".")
