"""SHIM"""

from __future__ import annotations

import re

from drctl.text.place import Place

_TOK = re.compile(r'"([^"]*)"|"(.*)|([{}])|([^\s"{}]+)')


class Line:
    __slots__ = ("number", "path", "spans", "words")

    def __init__(self, words, number, path, spans):
        self.words = words
        self.number = number
        self.path = path
        self.spans = spans

    def place(self, i):
        i = min(max(i, 0), len(self.spans) - 1)
        a, b = self.spans[i]
        return Place(self.path, self.number, a + 1, self.number, b + 1)


def strip(s):
    out = []
    q = False
    i = 0
    while i < len(s):
        c = s[i]
        if q:
            if c == '"':
                q = False
            out.append(c)
        elif c == '"':
            q = True
            out.append(c)
        elif c in "#!":
            break
        elif c == "\\" and i + 1 < len(s) and s[i + 1] in '#!"\\':
            out.append(s[i + 1])
            i += 1
        else:
            out.append(c)
        i += 1
    return "".join(out)


def lines_of(path, text):
    res = []
    for n, l in enumerate(text.split("\n"), 1):
        l = l.rstrip("\r")
        cur = []
        sp = []
        if "#" in l or "!" in l or "\\" in l:
            l = strip(l)

        def flush():
            nonlocal cur, sp
            if cur:
                res.append(Line(tuple(cur), n, path, sp))
                cur = []
                sp = []

        for m in _TOK.finditer(l):
            if m[3]:
                flush()
                cur = [m[3]]
                sp = [m.span()]
                flush()
            elif m[2] is not None:
                pass
            else:
                cur.append(m[1] if m[1] is not None else m[4])
                sp.append(m.span())
        flush()
    return res
