"""What ``alone doctor`` looks for: the stumbles of people who use fairseq's plugins, each with its fix."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One line of a diagnosis."""

    level: str
    text: str


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str) -> Finding:
    """Something that is in order for some uses and not for others."""
    return Finding("warning", text)


def problem(text: str) -> Finding:
    """Something that will fail, or is not safe."""
    return Finding("problem", text)
