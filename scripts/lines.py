"""Usage: python3 scripts/lines.py [COMMIT]...

Counts the deployed package at each commit (default: HEAD): lines, lines of code (neither blank, comment nor docstring),
modules, and the longest class. Prints rows of a Markdown table. Emulator, cli, tests and tools are not counted.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize

PACKAGE = "timelapse_runtime/"
NOT_DEPLOYED = tuple(
    PACKAGE + name for name in ("emulator/", "local/", "cli/", "cli.py", "export/", "watch/", "fleet/")
)
NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def docstring_lines(tree: ast.Module) -> set[int]:
    """The lines of all statements that are only a string."""
    strings = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    return {line for node in strings for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def code_lines(source: str, tree: ast.Module) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for token in tokens if token.type not in NOT_CODE for n in range(token.start[0], token.end[0] + 1)}
    return len(lines - docstring_lines(tree))


def row(commit: str) -> str:
    names = git("ls-tree", "-r", "--name-only", commit, PACKAGE).split()
    modules = [name for name in names if name.endswith(".py") and not name.startswith(NOT_DEPLOYED)]
    total = code = 0
    longest = (0, "")
    for name in modules:
        source = git("show", f"{commit}:{name}")
        tree = ast.parse(source)
        total += len(source.splitlines())
        code += code_lines(source, tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                longest = max(longest, (length, f"`{node.name}`, {name.removeprefix(PACKAGE)}"))
    short = git("rev-parse", "--short", commit).strip()
    return f"| {short} | {total:,} | {code:,} | {len(modules)} | {longest[1]}: {longest[0]} lines |"


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["HEAD"]:
        print(row(argument))
