"""PDFs as different programs write them, made here from text: pages, columns, fonts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

WIDTH, HEIGHT = 612, 792
SIZE = 10.0
COLUMN = 42
_FONTS = {"F1": "Helvetica", "F2": "Helvetica-Bold"}
_LIGATURES = (("ffi", "\x03"), ("fi", "\x01"), ("fl", "\x02"))


@dataclass
class Row:
    """A line on a page: its text, where it stands, its font and size."""

    text: str
    x: float
    y: float
    font: str = "F1"
    size: float = SIZE


@dataclass
class Layout:
    """Puts paragraphs into two columns, and begins pages as they fill."""

    head: str = "Preprint. Under review."
    pages: list[list[Row]] = field(default_factory=list)
    column: int = 2
    y: float = 0.0

    def _next_column(self) -> None:
        self.column += 1
        if self.column > 1:
            self.column = 0
            number = len(self.pages) + 1
            self.pages.append([Row(self.head, 200, 760), Row(str(number), 300, 30)])
        self.y = 690 if len(self.pages) == 1 else 720

    def row(self, text: str, font: str = "F1", size: float = SIZE) -> None:
        """Write one line."""
        if not self.pages or self.y < 90:
            self._next_column()
        x = 54 if self.column == 0 else 324
        self.pages[-1].append(Row(text, x, self.y, font, size))
        self.y -= size * 1.2

    def title(self, text: str) -> None:
        """Write the title over both columns of the first page."""
        self.row("")
        self.pages[-1][-1] = Row(text, 120, 720, "F2", 17)

    def heading(self, text: str) -> None:
        """Write a heading, with some room above it, and none at a column's end."""
        if self.y < 140:
            self.y = 0
        self.y -= 8
        self.row(text, "F2", 12)

    def paragraph(self, text: str) -> None:
        """Write a paragraph, its words cut at the ends of lines."""
        for line in wrapped(text):
            self.row(line)
        self.y -= 6


def wrapped(text: str, width: int = COLUMN) -> list[str]:
    """Return lines of a width; long words are cut with a hyphen."""
    lines, line = [], ""
    for word in text.split():
        joined = f"{line} {word}".strip()
        if len(joined) <= width:
            line = joined
            continue
        room = width - len(line) - 2
        if len(word) > 7 and room >= 3 and word.isalpha():
            cut = min(room, len(word) - 3)
            lines.append(f"{line} {word[:cut]}-".strip())
            line = word[cut:]
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line else lines


def interleaved(rows: list[Row]) -> list[Row]:
    """Return rows as a program draws them that goes down the page, not the column."""
    return sorted(rows, key=lambda row: (-row.y, row.x))


def pdf(
    pages: list[list[Row]], *, info: str = "", outline: tuple[str, ...] = ()
) -> bytes:
    """Return a PDF of pages."""
    count = len(pages)
    first = 10
    objects = {
        1: f"<< /Type /Catalog /Pages 2 0 R{' /Outlines 5 0 R' if outline else ''} >>",
        2: "<< /Type /Pages /Count {} /Kids [{}] >>".format(
            count, " ".join(f"{first + 2 * n} 0 R" for n in range(count))
        ),
        3: f"<< {info} >>",
        4: "<< /Type /Encoding /BaseEncoding /WinAnsiEncoding"
        " /Differences [1 /fi /fl /ffi] >>",
    }
    fonts = ""
    for number, (name, base) in enumerate(_FONTS.items(), start=6):
        fonts += f"/{name} {number} 0 R "
        objects[number] = (
            f"<< /Type /Font /Subtype /Type1 /BaseFont /{base} /Encoding 4 0 R >>"
        )
    streams = {}
    for n, rows in enumerate(pages):
        number = first + 2 * n
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}]"
            f" /Resources << /Font << {fonts}>> >> /Contents {number + 1} 0 R >>"
        )
        streams[number + 1] = zlib.compress(
            "\n".join(map(_drawn, rows)).encode("cp1252")
        )
    if outline:
        entries = range(first + 2 * count, first + 2 * count + len(outline))
        objects[5] = (
            f"<< /Type /Outlines /Count {len(outline)} /First {entries[0]} 0 R"
            f" /Last {entries[-1]} 0 R >>"
        )
        for number, title in zip(entries, outline, strict=True):
            after = f" /Next {number + 1} 0 R" if number != entries[-1] else ""
            objects[number] = (
                f"<< /Title ({title}) /Parent 5 0 R /Dest [10 0 R /Fit]{after} >>"
            )
    return _file(objects, streams)


def _drawn(row: Row) -> str:
    text = row.text
    for letters, sign in _LIGATURES:
        text = text.replace(letters, sign)
    text = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{row.font} {row.size} Tf {row.x} {row.y:.1f} Td ({text}) Tj ET"


def _file(objects: dict[int, str], streams: dict[int, bytes]) -> bytes:
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    places = {}
    for number in sorted(objects | streams):
        places[number] = len(out)
        out += f"{number} 0 obj\n".encode()
        if number in streams:
            data = streams[number]
            out += f"<< /Length {len(data)} /Filter /FlateDecode >>\nstream\n".encode()
            out += data + b"\nendstream"
        else:
            out += objects[number].encode()
        out += b"\nendobj\n"
    start, size = len(out), max(places) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    for number in range(1, size):
        place = places.get(number)
        out += f"{place or 0:010} 00000 {'n' if place else 'f'} \n".encode()
    out += f"trailer\n<< /Size {size} /Root 1 0 R /Info 3 0 R >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())
