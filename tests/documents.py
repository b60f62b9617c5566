"""The documents of the repository, and the commands in them. Tests compare both with the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path for pattern in ("*.md", "docs/*.md", "infra/*.md") for path in sorted(ROOT.glob(pattern)) if path.is_file()
]
PROGRAMS = frozenset(
    {
        "timelapse",
        "timelapse-runtime",
        "aws",
        "sam",
        "git",
        "jq",
        "xdg-open",
        "zip",
        "npm",
        "node",
        "curl",
        "systemctl",
        "journalctl",
        "export",
    }
)
"""What a line of a command block begins with, beside the scripts of the repository, Python and pip."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a command block, without its comment."""

    document: Path
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {self.text}"


def without_blocks(text: str) -> str:
    """The text between the blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def in_backticks(document: Path) -> Iterator[str]:
    """What the text has in backticks."""
    yield from (" ".join(one.split()) for one in re.findall(r"`([^`]+)`", without_blocks(document.read_text())))


def block_lines(document: Path) -> Iterator[list[str]]:
    """The lines of each block without a language, without comments and empty lines."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE):
        if language:
            continue
        lines = (re.split(r"(?:^|\s)#", line)[0].strip() for line in block.splitlines())
        lines = (re.sub(r"^\(?cd \S+ && (.*?)\)?$", r"\1", line) for line in lines)
        yield [line for line in lines if line]


def begins_like_a_command(line: str) -> bool:
    """Whether the first word is a program's."""
    first = line.partition(" ")[0]
    return first in PROGRAMS or re.fullmatch(r"scripts/[\w-]+|(\S*/)?(python3?|pip)", first) is not None


def commands() -> list[Command]:
    """The lines of all blocks in which a line begins with a program's name: all of them are commands then."""
    return [
        Command(document, line)
        for document in DOCUMENTS
        for lines in block_lines(document)
        if any(map(begins_like_a_command, lines))
        for line in lines
    ]
