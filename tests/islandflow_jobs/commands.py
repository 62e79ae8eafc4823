"""What commands print and leave behind, as the tests beside this file look at it."""

import re

LINE = re.compile(r"^(?:\S+: )?[A-Z0-9_]+( at [^\n]+)?: [^\n]+$")


def files(folder):
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(outcome, *codes):
    """Assert bad input: exit 2, nothing on stdout, a line per problem with these codes."""
    code, out, err = outcome
    assert (code, out) == (2, [])
    assert all(LINE.fullmatch(line) for line in err), err
    assert len(err) == len(codes), err
    for line, expected in zip(err, codes, strict=True):
        assert expected in line
    return err
