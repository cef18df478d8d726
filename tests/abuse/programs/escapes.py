"""Prints what a terminal or a markup language would obey."""

import os

TRICKS = (
    b"\x1b]0;stolen title\x07",
    b"\x1b]2;stolen title\x1b\\",
    b"\x1b]52;c;c3RvbGVu\x07",
    b"\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    b"\x1b[2J\x1b[H",
    b"\x1b[?1049h",
    b"\x1b[31mred\x1b[0m",
    b"\x1b[6n",
    b"\x1bc",
    b"\x1bP+q544e\x1b\\",
    b"\x9b31m\x9d0;c1 title\x9c",
    "\u202egnp.exe\u202c \u009b31m".encode(),
    b"over\rwritten\x08\x08",
    b"[red]markup[/red] [link=http://evil.example]x[/link] [@click=app.quit]y[/]",
)
os.mkdir("out")
for stream in (1, 2):
    for trick in TRICKS:
        os.write(stream, trick + b"\n")
for trick in TRICKS:
    with open(b"out/" + trick.replace(b"/", b"|"), "w") as file:
        file.write("x")
