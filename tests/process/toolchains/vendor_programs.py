"""Programs that answer like `pio`, `arduino-cli` and `idf.py`, put on a PATH by tests.

Each checks how it was called, the project that it was given and what it may see, and makes files of
the real shape: an ESP image with its chip's number, a partition table, an Xtensa ELF file. Of a
sketch it "compiles" only lines of the form `//> MS TEXT`, into a script that the local stand-in of
Wokwi's service plays. Words in the sketch make it fail.
"""

import os
import sys
from pathlib import Path

_COMMON = """
import configparser, json, os, struct, sys, time
from pathlib import Path

CHIPS = {"esp32": 0, "esp32s3": 9}

def demand(truth, what):
    if not truth:
        sys.exit(f"stand-in: {what}")

def image(chip, body):
    head = bytes([0xE9, 1, 2, 0x20]) + struct.pack("<I", 0x40080000) + bytes(4)
    return head + struct.pack("<H", CHIPS[chip]) + bytes(10) + body

def table():
    rows = [(1, 2, 0x9000, 0x5000, b"nvs"), (1, 0, 0xE000, 0x2000, b"otadata"),
            (0, 0x10, 0x10000, 0x140000, b"app0"), (0, 0x11, 0x150000, 0x140000, b"app1")]
    packed = b"".join(struct.pack("<2sBBII16sI", b"\\xaa\\x50", *row, 0) for row in rows)
    return (packed + b"\\xeb\\xeb" + b"\\xff" * 30).ljust(0xC00, b"\\xff")

ELF = struct.pack("<16sHHIIIIIHHHHHH", b"\\x7fELF\\x01\\x01\\x01", 2, 94, 1, 0x40080000,
                  0, 0, 0, 52, 32, 0, 40, 0, 0)

def compile(path):
    text = path.read_text()
    for number, line in enumerate(text.splitlines(), 1):
        if "WRONG" in line:
            sys.stderr.write(f"{path}:{number}:3: error: 'WRONG' was not declared in this scope\\n")
            sys.exit(1)
    if "TOOLFAIL" in text:
        sys.stderr.write("Error: HTTPClientError: cannot reach the registry\\n")
        sys.exit(1)
    if "HANG" in text:
        time.sleep(600)
    if "NOTHING" in text:
        sys.exit(0)
    lines = [line.strip()[4:] for line in text.splitlines() if line.strip().startswith("//> ")]
    return ("SCRIPT\\n" + "".join(f"{line}\\n" for line in lines) + "END\\n").encode()

def option(name):
    demand(name in sys.argv, f"{name} is missing")
    return sys.argv[sys.argv.index(name) + 1]
"""

_PIO = """
if sys.argv[1:] == ["--version"]:
    print("PlatformIO Core, version 6.1.18")
    sys.exit()
demand(sys.argv[1] == "run", "not asked to run")
project = Path(option("--project-dir"))
name = option("--environment")
platforms = Path(os.environ["PLATFORMIO_PLATFORMS_DIR"])
demand((platforms / "espressif32" / "platform.json").is_file(), "the platform cannot be seen")
demand(Path(os.environ["PLATFORMIO_CORE_DIR"]) != platforms.parent, "its state is not its own")
ini = configparser.ConfigParser()
ini.read(project / "platformio.ini")
section = ini[f"env:{name}"]
demand(section["platform"] == "espressif32" and section["framework"] == "arduino", "wrong project")
chip = {"esp32dev": "esp32", "esp32-s3-devkitc-1": "esp32s3"}[section["board"]]
body = compile(next(project.glob("*.ino")))
out = Path(os.environ["PLATFORMIO_BUILD_DIR"]) / name
out.mkdir(parents=True)
(out / "bootloader.bin").write_bytes(image(chip, b"boot"))
(out / "partitions.bin").write_bytes(table())
(out / "firmware.bin").write_bytes(image(chip, body))
(out / "firmware.elf").write_bytes(ELF)
print("RAM:   [=         ]   6.6% (used 21484 bytes from 327680 bytes)")
print("Flash: [==        ]  20.0% (used 262144 bytes from 1310720 bytes)")
"""

_ARDUINO = """
if sys.argv[1:] == ["version"]:
    print("arduino-cli  Version: 1.1.1 Commit: fa6eafcb Date: 2024-11-22T09:35:17Z")
    sys.exit()
demand(sys.argv[1] == "compile", "not asked to compile")
fqbn, out, sketch = option("--fqbn"), Path(option("--build-path")), Path(sys.argv[-1])
home = Path(os.environ["ARDUINO_DIRECTORIES_DATA"])
demand((home / "packages" / "esp32" / "hardware" / "esp32").is_dir(), "the core cannot be seen")
main = sketch / f"{sketch.name}.ino"
demand(main.is_file(), "the folder is not called like the sketch")
demand(f"default_fqbn: {fqbn}" in (sketch / "sketch.yaml").read_text(), "wrong sketch.yaml")
chip = fqbn.split(":")[2]
body = compile(main)
base = f"{sketch.name}.ino"
(out / f"{base}.bootloader.bin").write_bytes(image(chip, b"boot"))
(out / f"{base}.partitions.bin").write_bytes(table())
(out / f"{base}.bin").write_bytes(image(chip, body))
(out / f"{base}.elf").write_bytes(ELF)
print("Sketch uses 262144 bytes (20%) of program storage space. Maximum is 1310720 bytes.")
print("Global variables use 21484 bytes (6%) of dynamic memory, leaving 306196 bytes for local "
      "variables. Maximum is 327680 bytes.")
"""

_IDF = """
demand("IDF_PATH" in os.environ, "IDF_PATH is not passed on")
if sys.argv[1:] == ["--version"]:
    print("ESP-IDF v5.3.1")
    sys.exit()
demand(sys.argv[-1] == "build", "not asked to build")
demand(os.environ["IDF_COMPONENT_MANAGER"] == "0", "the component manager is on")
project, out = Path(option("-C")), Path(option("-B"))
cmake = (project / "CMakeLists.txt").read_text()
component = Path(cmake.split('EXTRA_COMPONENT_DIRS "')[1].split('"')[0])
demand((component / "CMakeLists.txt").is_file(), "the component cannot be seen")
demand(f"REQUIRES {component.name})" in (project / "main/CMakeLists.txt").read_text(), "no Arduino")
defaults = (project / "sdkconfig.defaults").read_text()
chip = defaults.split('CONFIG_IDF_TARGET="')[1].split('"')[0]
body = compile(project / "main" / "sketch.cpp")
files = {"0x1000" if chip == "esp32" else "0x0": "bootloader/bootloader.bin",
         "0x8000": "partition_table/partition-table.bin", "0x10000": "sketch.bin"}
if "ESCAPE" in (project / "main" / "sketch.cpp").read_text():
    files["0x20000"] = "../../../etc/passwd"
for folder in ("bootloader", "partition_table"):
    (out / folder).mkdir()
(out / "bootloader/bootloader.bin").write_bytes(image(chip, b"boot"))
(out / "partition_table/partition-table.bin").write_bytes(table())
(out / "sketch.bin").write_bytes(image(chip, body))
(out / "sketch.elf").write_bytes(ELF)
(out / "flasher_args.json").write_text(json.dumps(
    {"flash_settings": {"flash_size": "4MB"}, "flash_files": files}))
"""

_PROGRAMS = {"pio": _PIO, "arduino-cli": _ARDUINO, "idf.py": _IDF}


def install(folder: Path, *names: str) -> dict[str, str]:
    """Put stand-ins into `folder`/bin with their packages; the environment that finds them."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in names:
        path = programs / name
        path.write_text(f"#!{sys.executable}\n{_COMMON}{_PROGRAMS[name]}")
        path.chmod(0o755)
    platform = folder / "pio" / "platforms" / "espressif32"
    platform.mkdir(parents=True)
    (platform / "platform.json").write_text('{"name": "espressif32", "version": "6.9.0"}')
    (folder / "pio" / "packages").mkdir()
    (folder / "arduino15" / "packages" / "esp32" / "hardware" / "esp32" / "3.1.0").mkdir(
        parents=True
    )
    idf, component = folder / "esp-idf", folder / "arduino-esp32"
    for one in (idf, component):
        one.mkdir()
        (one / "CMakeLists.txt").touch()
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PLATFORMIO_CORE_DIR": str(folder / "pio"),
        "ARDUINO_DIRECTORIES_DATA": str(folder / "arduino15"),
        "IDF_PATH": str(idf),
        "BENCHLINE_ARDUINO_COMPONENT": str(component),
    }
