"""Writes aws_schema.json: names and types of what the module aws-iot uses, from the real provider.

    python tests/process/modules/schema_provider/derive.py MIRROR

MIRROR is a folder as `terraform providers mirror` makes it. The provider is under the Mozilla
Public License 2.0; the file holds no code of it. Run it again when the module uses something new.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULE = HERE.parents[3] / "infra" / "modules" / "aws-iot"
PROVIDER = "registry.terraform.io/hashicorp/aws"
_USED = re.compile(r'^(resource|data) "(aws_[a-z0-9_]+)"', re.MULTILINE)
_ATTRIBUTE = ("type", "required", "optional", "computed", "sensitive")
_BLOCK = ("nesting_mode", "min_items", "max_items")


def main() -> None:
    """See the module."""
    mirror = Path(sys.argv[1]).absolute()
    text = "\n".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(MODULE / "versions.tf", folder)
        (folder / "region.tf").write_text('variable "region" {}\nvariable "stack" {}\n')
        config = folder / "cli.tfrc"
        config.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{mirror}" }} }}')
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(config), "CHECKPOINT_DISABLE": "1"}
        for words in (["init", "-backend=false"], ["providers", "schema", "-json"]):
            told = subprocess.run(
                ["terraform", *words], cwd=folder, env=environment, capture_output=True, check=True
            ).stdout
        version = re.search(
            r'version\s+= "([0-9.]+)"', (folder / ".terraform.lock.hcl").read_text()
        )
    whole = json.loads(told)["provider_schemas"][PROVIDER]
    kinds = {"resource": "resource_schemas", "data": "data_source_schemas"}
    schema = {
        "source": f"hashicorp/aws {version[1] if version else '?'}, MPL-2.0: names and types only",
        "provider": _block(whole["provider"]["block"], only=("region", "default_tags")),
        "resource": {},
        "data": {},
    }
    for kind, type_name in sorted(set(_USED.findall(text))):
        schema[kind][type_name] = _block(whole[kinds[kind]][type_name]["block"])
    path = HERE / "aws_schema.json"
    path.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


def _block(block: dict[str, Any], only: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {
        "attributes": {
            name: {key: found[key] for key in _ATTRIBUTE if key in found}
            for name, found in block.get("attributes", {}).items()
            if "type" in found and (only is None or name in only)
        },
        "block_types": {
            name: {**{key: found[key] for key in _BLOCK if key in found}, **_block(found["block"])}
            for name, found in block.get("block_types", {}).items()
            if only is None or name in only
        },
    }


if __name__ == "__main__":
    main()
