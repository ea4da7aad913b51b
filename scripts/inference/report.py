# SPDX-License-Identifier: Apache-2.0
"""What became of each volume: ``report.json``, a sidecar beside each result, a line on the screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .. import __version__
from ..files.atomic import replacing, write_json
from ..files.bids import derived_fields, write_derivative_description
from ..files.errors import printable
from ..files.find_volumes import source_state
from ..files.screen import tell, warn
from ..files.sidecar import DICOM, page_path, sidecar_path, write_sidecar

__all__ = ["REPORT", "SOFTWARE", "RestorationReport", "SkippedVolumesError"]

SOFTWARE = "brain-mri-autoencoders"
REPORT = "report.json"
RESTORE, FILL = "restore", "fill"
DONE = {RESTORE: "restored", FILL: "filled"}
"""What was done, by the mode."""
DESCRIPTIONS = {
    RESTORE: "Restored by a trained network; a guess, not a measurement",
    FILL: "Masked voxels filled, a guess, not a measurement; all others as they were stored",
}
COMPANIONS = {
    "output_mask": "Voxels that were filled rather than measured",
    "output_uncertainty": "Standard deviation of the restored intensities",
}
"""What may lie beside a result, by the key of its path."""
PAGE = ("page", "self_test")
"""Facts that hold as long as the page is there."""
FACTS = "Restoration"
"""Key of a sidecar that is ours; the others are those of BIDS."""


class SkippedVolumesError(ValueError):
    """Some volumes could not be restored; the others were."""


class RestorationReport:
    """Outcome of each volume, true whenever the process may end.

    A result is complete when its sidecar lies beside it, which says what it was made of and how. ``report.json`` is
    written anew, by rename, after each volume.

    Args:
        dataset_dir: folder of the volumes.
        output_dir: folder of the results and of the report.
        settings: hash of all that determines the results besides the volumes, see
            :func:`~scripts.recipes.checks.settings_hash`.
        skip_existing: keep results that were made of the same files with the same settings.
        dry_run: only say what would become of each volume; nothing is written.
        mode: "restore" or "fill".

    Attributes:
        names_results: whether the screen gets a line for each result, too, not only for what is skipped.
        bids_dir: root of the BIDS dataset of which ``dataset_dir`` is a folder; by default it is that itself.
    """

    def __init__(
        self,
        dataset_dir: str,
        output_dir: str,
        settings: str = "",
        skip_existing: bool = False,
        dry_run: bool = False,
        mode: str = RESTORE,
    ) -> None:
        self.dataset_dir = Path(dataset_dir)
        self.output_dir = Path(output_dir)
        self.settings = settings
        self.skip_existing = skip_existing
        self.dry_run = dry_run
        self.mode, self.done = mode, DONE[mode]
        self.outputs: dict[str, str] = {}
        self.sources: dict[str, tuple[Path, str]] = {}
        self.restored: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self.existing = 0
        self.dicom_without_images = 0
        self.others: dict[str, int] = {}
        self.names_results = True
        self.bids_dir = self.dataset_dir
        self.finished = False
        self._lines: dict[str, list[str]] = {"restored": [], "skipped": []}

    def begin(self, items: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
        """Write the report of no volume yet, and what makes a BIDS derivative where the input is BIDS.

        Args:
            items: volumes, see :func:`~scripts.files.find_volumes.find_volumes`.

        Returns:
            Those that are to be restored: not those of which results are kept.

        Raises:
            OSError: the folder of the results cannot be written to.
        """
        self.dicom_without_images = getattr(items, "without_images", 0)
        self.others = dict(getattr(items, "others", {}))
        self.sources = {item["name"]: (Path(item["image"]), source_state(item)) for item in items if not item["error"]}
        if self.skip_existing:
            items = [item for item in items if not self._keep(item)]
        if not self.dry_run:
            self.write()
            write_derivative_description(self.dataset_dir, self.output_dir, SOFTWARE, __version__, REPORT)
        return list(items)

    def _keep(self, item: Mapping[str, str]) -> bool:
        """Keep the result of an item, if it is there and was made of the same with the same settings."""
        name, output = item["name"], item["output"]
        path = self.output_dir / output
        _, state = self.sources.get(name, (path, ""))
        outputs = [output, *(item[key] for key in COMPANIONS if key in item)]
        there = all((self.output_dir / one).is_file() for one in outputs)
        if DICOM in item:
            outputs.append(item[DICOM])
            there = there and (self.output_dir / item[DICOM]).is_dir()
        if not state or not there or self.conflict(name, *outputs):
            return False
        try:
            facts = json.loads(sidecar_path(path).read_text(encoding="utf-8"))[FACTS]
            same = (facts.pop("input"), facts.pop("settings")) == (state, self.settings)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):  # none, or another program's
            return False
        if same:
            self.existing += 1
            if not page_path(path).is_file():
                facts = {key: value for key, value in facts.items() if key not in PAGE}
            self._note("restored", {"name": name, "output": output, **facts})
            self._name_result("kept", name, output)
            return True
        return False

    def clear(self, output: str) -> None:
        """Make way for a result: from now on, the former one is not complete.

        Raises:
            ValueError: a link leads out of the folder of the results.
        """
        path = self.output_dir / output
        if not path.parent.resolve().is_relative_to(self.output_dir.resolve()):
            raise ValueError(f"its result would be written into {path.parent.resolve()}, out of {self.output_dir}.")
        sidecar_path(path).unlink(missing_ok=True)
        page_path(path).unlink(missing_ok=True)

    def restore(self, name: str, output: str, **facts: Any) -> None:
        """Note a volume that was written.

        Args:
            name: name of the volume.
            output: path of the result, relative to ``output_dir``.
            facts: what is known of it. ``skull_stripped`` goes into the sidecar alone.

        Raises:
            OSError: the sidecar cannot be written; the result is removed.
        """
        stripped = facts.pop("skull_stripped", False)
        image, state = self.sources[name]
        derived = derived_fields(image, self.bids_dir, facts.get("spacing_mm", ()), stripped)
        own = {FACTS: {**facts, "input": state, "settings": self.settings}}
        path = self.output_dir / output
        try:
            for key in COMPANIONS.keys() & facts:
                write_sidecar(self.output_dir / facts[key], {"Description": COMPANIONS[key], **derived})
            write_sidecar(path, {"Description": DESCRIPTIONS[self.mode], **derived, **own})
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._note("restored", {"name": name, "output": output, **facts})
        self._name_result(self.done, name, output)
        if "reason" in facts:
            tell(f"{printable(name)}: {facts['reason']}")
        warn(name, facts)
        self._save()

    def _name_result(self, done: str, name: str, output: str) -> None:
        if self.names_results:
            tell(f"{done} {printable(name)}: {printable(output)}")

    def add(self, name: str, **facts: Any) -> None:
        """Note more about a volume that was written, in its sidecar as well.

        Args:
            name: name of the volume.
            facts: what is known of it.

        Raises:
            OSError: the sidecar cannot be written.
        """
        place = next(number for number, entry in enumerate(self.restored) if entry["name"] == name)
        entry = self.restored[place]
        path = sidecar_path(self.output_dir / entry["output"])
        fields = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, {**fields, FACTS: {**fields[FACTS], **facts}})
        entry |= facts
        self._lines["restored"][place] = "  " + json.dumps(entry)
        self._save()

    def foresee(self, name: str, output: str, **facts: Any) -> None:
        """Say what would be written.

        Args:
            name: name of the volume.
            output: path of the result, relative to ``output_dir``.
            facts: what is known of it.
        """
        facts.pop("skull_stripped", None)
        self._note("restored", {"name": name, "output": output, **facts})
        tell(f"would {self.mode} {printable(name)} as {printable(output)}")
        warn(name, facts)

    def conflict(self, name: str, *outputs: str) -> str:
        """Say which input has a result of this name already; "" where none has. Case is ignored, as some disks do."""
        for output in outputs:
            first = self.outputs.setdefault(output.lower(), name)
            if first != name:
                return f"its result {output} is that of {first} already: rename one of the two."
        return ""

    def skip(self, name: str, reason: str) -> None:
        """Note a volume that was not, and say so in one line on standard error."""
        self._note("skipped", {"name": name, "reason": reason})
        tell(f"skipped {printable(name)}: {printable(reason)}")
        self._save()

    def _note(self, kind: str, entry: dict[str, Any]) -> None:
        (self.restored if kind == "restored" else self.skipped).append(entry)
        self._lines[kind].append("  " + json.dumps(entry))

    def _save(self) -> None:
        with suppress(OSError):  # the disk is full: the end of the run says so
            self.write(self.finished)

    def write(self, finished: bool = False) -> None:
        """Write ``report.json`` by rename.

        Args:
            finished: whether the run has come to its end.

        Raises:
            OSError: it cannot be written.
        """
        if self.dry_run:
            return
        self.finished = finished
        head: dict[str, Any] = {"dataset_dir": str(self.dataset_dir), "finished": finished}
        if self.dicom_without_images:
            head["dicom_without_images"] = self.dicom_without_images
        if self.others:
            head["other_files"] = self.others
        lists = [
            f' "{self.done if kind == "restored" else kind}": [\n' + ",\n".join(lines) + "\n ]"
            for kind, lines in list(self._lines.items())
        ]
        with replacing(self.output_dir / REPORT) as partial:
            partial.write_text(",\n".join([json.dumps(head, indent=1)[:-2], *lists]) + "\n}\n", encoding="utf-8")

    def finish(self) -> None:
        """End the command.

        Raises:
            SkippedVolumesError: a volume was skipped; how many, and where the report is.
        """
        total, report = len(self.restored) + len(self.skipped), self.output_dir / REPORT
        if self.dicom_without_images:
            tell(f"passed over {self.dicom_without_images} DICOM files without images (directories, reports)")
        if self.others:
            kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(self.others.items()))
            tell(f"passed over {sum(self.others.values())} files that are no images: {kinds}")
        if self.dry_run:
            kept = f"{self.existing} kept, " if self.existing else ""
            restored = len(self.restored) - self.existing
            done = f"{restored} volumes would be {self.done}, {kept}{len(self.skipped)} skipped"
            tell(f"dry run: {done}; nothing was written")
            return
        if self.skipped:
            raise SkippedVolumesError(f"{len(self.skipped)} of {total} volumes were skipped, see {report}")
        kept = f" ({self.existing} of them before)" if self.existing else ""
        tell(f"{self.done} {total} volumes{kept}, see {report}")
