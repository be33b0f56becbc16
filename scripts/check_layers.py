#!/usr/bin/env python3
"""Checks every #include of the repository against the table of who may include whom.

The table below is the architecture: a layer sees the layers that its row names, and nothing else.
Also checked: internal headers are spelled from the repository's root ("stack/tcp/tcb.h") and
public ones as <runnel/...>; the public headers need no internal one; third-party libraries stay in
the rooms that they were let into; no header includes itself by way of others.

Usage: check_layers.py [ROOT]        prints one line per violation; exit 1 when there is one
"""
import os
import re
import sys
from collections import namedtuple

# Public headers that are plain values: they include the standard library and each other.
VALUES = """buffer bytes config congestion_algorithm counters drop_reason ecn
    endpoint error event handle info ip_address packet random result tcp_state time trace""".split()
# Public headers of what works: their implementation is behind a pointer.
API = "icmp_echo sockets stack tcp_listener tcp_socket".split()

# What the sans-I/O part may use of the standard library. Not among them, on purpose: anything with
# a file, a clock, a thread, a locale or entropy in it (check_sans_io.sh looks at the symbols).
PURE_STD = """algorithm array bit bitset cassert cfloat charconv chrono climits cmath compare
    concepts cstddef cstdint cstring deque exception functional initializer_list iterator limits
    list map memory new numbers numeric optional queue ranges ratio set span stack stdexcept string
    string_view system_error tuple type_traits typeinfo unordered_map unordered_set utility variant
    vector version""".split()

# Which library an <include> belongs to, by the start of its name. What is in no library and has no
# suffix is the standard library's; any other <name.h> is the system's.
LIBRARIES = {
    "tins/": "libtins", "CLI/": "CLI11", "boost/": "Boost.Beast", "fmt/": "fmt", "pcap": "libpcap",
    "gtest/": "GoogleTest", "gmock/": "GoogleTest", "benchmark/": "benchmark",
    # Instructions by name, and which of them the processor has: the compiler's own headers.
    "immintrin.h": "intrinsics", "cpuid.h": "intrinsics",
}

Row = namedtuple("Row", "layers std libraries", defaults=("pure", ""))

# layer: the layers that it may include besides itself, which standard headers, which libraries.
TABLE = {
    "values": Row(""),
    "API": Row("values"),
    "base": Row("values"),
    "wire": Row("values base", "pure", "intrinsics"),
    "buffer": Row("values base"),
    "timer": Row("values base"),
    "ip": Row("values base wire buffer timer"),
    "tcp": Row("values base wire buffer timer"),
    "udp": Row("values base wire buffer timer"),
    "core": Row("values API base wire buffer timer ip tcp udp"),
    "socket": Row("values API base core"),
    "tun API": Row("values API", "any"),
    "tun": Row("values API tun-API base wire/checksum buffer core socket", "any", "system"),
    "tun capture": Row("values API tun-API tun base wire/checksum buffer core socket", "any",
                       "system libpcap libtins"),
    "apps": Row("values API tun-API", "any", "system CLI11 Boost.Beast fmt libtins"),
    "embedder": Row("values API tun-API", "any"),
    "tests": Row("values API tun-API tun apps base wire buffer timer ip tcp udp core socket", "any",
                 "system CLI11 Boost.Beast fmt libtins libpcap GoogleTest benchmark"),
}
STACK_FOLDERS = ("values", "base", "wire", "buffer", "timer", "ip", "tcp", "udp", "core", "socket")

DIRECTIVE = re.compile(r"^\s*(?:#|%:)\s*(include|include_next|import)\b\s*(.*)")
COMMENT = re.compile(r"'(?:\\.|[^'\\\n])'|\"(?:\\.|[^\"\\\n])*\"|(//[^\n]*|/\*.*?\*/)", re.S)
NAMED = re.compile(r'(?:<([^>]+)>|"([^"]+)")')
SOURCE = (".cc", ".h", ".cpp", ".hpp", ".inc", ".cxx", ".hh", ".c", ".ipp")

Include = namedtuple("Include", "line name quoted")


def layer_of(path):
    """The layer that a file belongs to, or None when no room of the house has a place for it."""
    parts = path.split("/")
    if path.startswith("stack/include/runnel/") and len(parts) == 4:
        name = os.path.splitext(parts[3])[0]
        return "values" if name in VALUES else "API" if name in API else None
    if parts[0] == "stack" and len(parts) > 2 and parts[1] in STACK_FOLDERS:
        return parts[1]
    if path.startswith("tun/include/runnel/"):
        return "tun API"
    if parts[0] == "tun" and len(parts) == 2:
        return "tun capture" if parts[1].startswith("packet_capture") else "tun"
    if path.startswith("tests/architecture/embedder/"):
        return "embedder"
    return parts[0] if parts[0] in ("apps", "tests") else None


def may_include(layer, target, path):
    """Whether a file of `layer` may include `path`, which belongs to the layer `target`."""
    if layer == target:
        return True
    for allowed in TABLE[layer].layers.split():
        if allowed.replace("-", " ") == target:
            return True
        if "/" in allowed and path == f"stack/{allowed}.h":
            return True
    return False


def library_of(name):
    for prefix, library in LIBRARIES.items():
        if name.startswith(prefix):
            return library
    return "std" if "." not in name and "/" not in name else "system"


def includes_of(text):
    """Yields every include directive of a source text, comments blanked out."""
    text = COMMENT.sub(lambda m: "\n" * m[1].count("\n") if m[1] else m[0], text)
    for number, line in enumerate(text.splitlines(), 1):
        directive = DIRECTIVE.match(line)
        if not directive:
            continue
        named = NAMED.match(directive.group(2))
        if directive.group(1) == "include" and named:
            yield Include(number, named.group(1) or named.group(2), named.group(2) is not None)
        else:
            yield Include(number, None, False)


def resolve(root, name):
    """The repository file that an include names, or None when it is not one of ours."""
    if name.startswith("runnel/"):
        for folder in ("stack/include", "tun/include"):
            if os.path.exists(os.path.join(root, folder, name)):
                return f"{folder}/{name}"
    if name.split("/")[0] in ("stack", "tun", "apps", "tests"):
        return name
    return None


def check_include(root, path, layer, include):
    """What is wrong with one include, or None."""
    name = include.name
    if name is None:
        return "write #include <name> or \"name\", so that it can be checked"
    if ".." in name.split("/"):
        return f"{name}: spell it from the repository's root"
    ours = resolve(root, name)
    if ours is None:
        if include.quoted or name.startswith("runnel/"):
            return f"{name}: no such header from the repository's root or in <runnel/...>"
        library = library_of(name)
        if library == "std":
            if TABLE[layer].std == "pure" and name not in PURE_STD:
                return f"<{name}> has no place in the sans-I/O {layer}"
        elif library not in TABLE[layer].libraries.split():
            return f"{layer} may not include <{name}> ({library})"
        return None
    if "/include/runnel/" in ours and not name.startswith("runnel/"):
        return f"{name}: public headers are spelled <runnel/{os.path.basename(name)}>"
    if not os.path.exists(os.path.join(root, ours)):
        return f"{name}: no such file"
    target = layer_of(ours)
    if target is None:
        return f"{name} belongs to no layer"
    if not may_include(layer, target, ours):
        return f"{layer} may not include {name} ({target})"
    return None


def find_cycle(graph):
    """One cycle of the include graph as a list of files, or None."""
    done = set()
    for start in sorted(graph):
        if start in done:
            continue
        stack, trail = [(start, iter(sorted(graph[start])))], [start]
        while stack:
            node, edges = stack[-1]
            target = next((t for t in edges if t in graph and t not in done), None)
            if target is None:
                done.add(node)
                stack.pop()
                trail.pop()
            elif target in trail:
                return trail[trail.index(target):] + [target]
            else:
                stack.append((target, iter(sorted(graph[target]))))
                trail.append(target)
    return None


def sources(root):
    for top in ("stack", "tun", "apps", "tests"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in sorted(files):
                if name.endswith(SOURCE):
                    yield os.path.relpath(os.path.join(folder, name), root)


def check(root):
    """Every violation in the tree below `root`, one line each, and how many includes there were."""
    problems, graph, count = [], {}, 0
    for path in sorted(sources(root)):
        layer = layer_of(path)
        if layer is None:
            problems.append(f"{path}:1: belongs to no layer: give it a row in check_layers.py")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            includes = list(includes_of(file.read()))
        count += len(includes)
        graph[path] = {ours for i in includes if i.name and (ours := resolve(root, i.name))}
        for include in includes:
            problem = check_include(root, path, layer, include)
            if problem:
                problems.append(f"{path}:{include.line}: {problem}")
    cycle = find_cycle(graph)
    if cycle:
        problems.append(f"{cycle[0]}:1: includes itself: {' -> '.join(cycle)}")
    return problems, count


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 2
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..")
    problems, count = check(root)
    for problem in problems:
        print(problem)
    if count == 0:
        print(f"{root}: nothing to check")
        return 1
    if not problems:
        print(f"{count} includes, all within the table")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
