"""objdump's decoded line table, read for the files of a sketch."""

from controlplane.toolchains.line_table import CodeRow, read_line_table

TABLE = """
test.elf:     file format elf32-littlearm

Contents of the .debug_line section:

CU: bench_core/src/Print.cpp:
File name                            Line number    Starting address    View    Stmt

bench_core/src/Print.cpp:
Print.cpp                                     57           0x8010000               x
Print.cpp                                      -           0x8010010


CU: sketch/sketch.ino.cpp:
File name                            Line number    Starting address    View    Stmt

./sketch.ino:[++]
sketch.ino                                     8           0x8011f44               x
sketch.ino                                     9           0x8011f44       1       x
sketch.ino                                     9           0x8011f46

bench_core/src/Arduino.h:
Arduino.h                                    131           0x8011f4a       2       x

./sketch.ino:
sketch.ino                                    10           0x8011f52               x
sketch.ino                                     -           0x8011f5a

./sketch.ino:[++]
sketch.ino                                    20                   0               x
sketch.ino                                    21                 0x4               x
sketch.ino                                     -                 0x8

sketch/app.cpp:
app.cpp                                        3           0x8012000               x
app.cpp                                        -           0x8012004
"""


def row(file: str, line: int, start: int, end: int) -> CodeRow:
    return CodeRow(file=file, line=line, start=start, end=end)


def test_rows_of_the_sketch_are_found_by_the_names_of_its_files() -> None:
    found = read_line_table(TABLE, {"sketch.ino", "app.cpp"})

    assert found == (
        row("sketch.ino", 9, 0x8011F44, 0x8011F46),
        row("sketch.ino", 9, 0x8011F46, 0x8011F4A),
        row("sketch.ino", 10, 0x8011F52, 0x8011F5A),
        row("app.cpp", 3, 0x8012000, 0x8012004),
    )


def test_functions_that_the_linker_left_out_have_no_lines() -> None:
    assert not {20, 21} & {r.line for r in read_line_table(TABLE, {"sketch.ino"})}


def test_what_is_no_table_has_no_rows() -> None:
    assert read_line_table("objdump: warning: nothing here\n\x00\xff", {"sketch.ino"}) == ()
