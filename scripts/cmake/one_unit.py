#!/usr/bin/env python3
"""Writes several test files into one, so that what they all include is read once.

Each file's anonymous namespaces get a namespace of their own around them: tests may call their
constants and helpers what they like, whichever file they are compiled with.

Usage: one_unit.py ROOT OUTPUT SOURCE...     sources below ROOT
"""
import os
import re
import sys

BEGIN = re.compile(r"^namespace \{$", re.MULTILINE)
END = re.compile(r"^\}  // namespace$", re.MULTILINE)


def with_own_namespace(text, own):
    """`text` with its anonymous namespaces inside of `own`, and None if they are not like ours."""
    begins, ends = list(BEGIN.finditer(text)), list(END.finditer(text))
    if len(begins) != len(ends):
        return None
    # What follows an anonymous namespace uses its names, unless it only closes other namespaces.
    is_used = ends and re.search(r"^[^}\s]", text[ends[0].end():], re.MULTILINE)
    uses = f" using namespace {own};" if is_used else ""
    text = BEGIN.sub(f"namespace {own} {{ namespace {{", text)
    return END.sub(f"}} }}{uses}  // namespace", text)


def main():
    root, output, *sources = sys.argv[1:]
    parts = ["// Written by scripts/cmake/one_unit.py.\n"]
    for source in sources:
        with open(source, encoding="utf-8") as file:
            name = re.sub(r"\W", "_", os.path.splitext(os.path.relpath(source, root))[0])
            text = with_own_namespace(file.read(), "in_" + name)
        if text is None:
            sys.exit(f"{source}: an anonymous namespace should begin with `namespace {{` and end "
                     "with `}  // namespace`")
        parts.append(f'#line 1 "{source}"\n{text}')
    with open(output, "w", encoding="utf-8") as file:
        file.write("".join(parts))



main()
