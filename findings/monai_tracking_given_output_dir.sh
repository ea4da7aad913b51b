#!/usr/bin/env bash
# MONAI's --tracking keeps the executed config as an artifact, but not where output_dir is given as a folder: then it
# looks for the file "OUT + '/config_<time>.json'", which does not exist, and logs no artifact, without a word.
#
# Guess before trying: --output_dir on the command line, the usual way to say where a run goes, changes where the config
# is saved, and the tracker finds it there.
# Seen with monai 1.6.1, torch 2.13.0, Python 3.11: the suffix " + '/config_...'" is added to the text of output_dir as if it
# were an expression. It is only right where output_dir begins with "$". The file itself is written to the right place.
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
import os
import re
from pathlib import Path

import monai
from monai.bundle import ConfigWorkflow

logging.disable(logging.CRITICAL)
Path("config.yaml").write_text("output_dir: ''\nrun: []\n")
print("monai", monai.__version__)
seen = []
for given in ("out", "$'out'"):
    workflow = ConfigWorkflow(
        "config.yaml", run_id="run", logging_file=False, tracking={"handlers_id": {}, "configs": {}}, output_dir=given
    )
    workflow.initialize()
    artifact = workflow.parser.get_parsed_content("save_execute_config")
    print(f"output_dir {given!r}: artifact {artifact!r}, there: {os.path.isfile(artifact)}")
    seen.append(os.path.isfile(artifact))
    written = [name for name in os.listdir("out") if re.fullmatch(r"config_\d+_\d+\.json", name)]
    assert written, "the config is written into output_dir"
raise SystemExit(0 if seen == [False, True] else 1)
PY
"$folder/venv/bin/python" trial.py
