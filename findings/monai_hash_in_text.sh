#!/usr/bin/env bash
# MONAI's ConfigParser changes texts that are neither references nor expressions: every "#" in any string of a config
# becomes "::". A folder called "heads#2" is then looked for as "heads::2", without an error or a warning.
#
# Guess before trying: "#" separates levels in the ids of a config, so it may be replaced in keys and references such as
# "@a#b"; a plain value such as a path is kept.
# Seen with monai 1.6.1, torch 2.13.0, numpy 2, Python 3.11: the value is changed, also when it is passed as an override
# to ConfigWorkflow. The expression "$'heads\x232'" keeps it.
#
# Exits with 0 as long as that is so, with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "torch==2.13.0" "monai==1.6.1" "pyyaml" "fire" "pytorch-ignite"
cd "$folder"
cat > trial.py <<'PY'
import logging
import monai
from monai.bundle import ConfigParser, ConfigWorkflow

logging.disable(logging.CRITICAL)
plain = ConfigParser({"folder": "heads#2", "list": ["a#b", {"c": "d#e"}]})
print("monai", monai.__version__)
print("plain value :", plain.get_parsed_content("folder"))
print("nested      :", plain.get_parsed_content("list"))
with open("config.yaml", "w") as file:
    file.write("folder: ''\nrun: []\n")
workflow = ConfigWorkflow("config.yaml", run_id="run", logging_file=False, folder="heads#2")
workflow.initialize()
override = workflow.parser.get_parsed_content("folder")
print("override    :", override)
escaped = ConfigParser({"folder": r"$'heads\x232'"}).get_parsed_content("folder")
print("expression  :", escaped)
seen = (plain.get_parsed_content("folder"), override, escaped)
raise SystemExit(0 if seen == ("heads::2", "heads::2", "heads#2") else 1)
PY
"$folder/venv/bin/python" trial.py
