"""Imports an uploaded export of figures that are no hits."""

import asyncio
from collections.abc import Sequence
from itertools import count

from tallystick.errors import InputRefused
from tallystick.model.aggregates import PLAUSIBLE, AggregateImport
from tallystick.services.imports.aggregates import LONGEST_NAME, AggregateImports
from tallystick.services.imports.export_files import FileProgress
from tallystick.services.imports.plausible_zip import BadRow, ExportReport, digest_of, parts_of, rows_of
from tallystick.services.imports.upload_folder import Upload, UploadFolder


class FiguresUpload:
    """The import of one file. After a kill it begins again: an import that is not finished is in no answer.

    Args:
        progress: may raise, to stop the import.
        bad_kept: how many bad lines are kept with their reasons.
    """

    def __init__(
        self, upload: Upload, folder: UploadFolder, imports: AggregateImports, progress: FileProgress, bad_kept: int
    ) -> None:
        self._upload, self._folder, self._imports = upload, folder, imports
        self._progress, self._bad_kept = progress, bad_kept

    async def carry_out(self, site: int) -> None:
        """Import the file.

        Raises:
            InputRefused: it is no export of Plausible, or other imports have days of the same tables.
            StoreUnavailable
        """
        upload, file = self._upload, self._folder.file(self._upload)
        if self._is_finished(await self._imports.listed(site)):
            return
        upload.bad, upload.rows = [], 0
        report = ExportReport()
        await asyncio.to_thread(self._read, report)
        upload.notes, upload.report.bad = list(report.notes), report.bad
        if not report.rows:
            msg = "no row of the file can be used"
            raise InputRefused(msg)
        spans = {name: each.span for name, each in report.tables.items()}
        digest, replace = await asyncio.to_thread(digest_of, file), upload.options.replace
        begun = await self._imports.begin(site, PLAUSIBLE, upload.name[-LONGEST_NAME:], digest, spans, replace=replace)
        upload.aggregate, upload.again = begun.id, begun.done
        if begun.done:
            return
        await asyncio.to_thread(self._folder.save, upload)
        done = 0
        parts = parts_of(rows_of(file, self._today, ExportReport(), lambda _bad: None))
        for number in count(1):
            rows = await asyncio.to_thread(next, parts, None)
            if rows is None:
                break
            await self._imports.add(site, begun.id, number, rows)
            done += sum(map(len, rows.values()))
            self._progress(done, report.rows)
        await self._imports.finish(upload.actor, site, begun.id, report.rows, replace=replace)
        upload.rows = report.rows

    @property
    def _today(self) -> int:
        return self._imports.latest_day - 1

    def _is_finished(self, imports: Sequence[AggregateImport]) -> bool:
        """Whether the server was killed after everything was imported."""
        found = next((each for each in imports if each.id == self._upload.aggregate and each.done), None)
        if found is not None:
            self._upload.rows = found.rows
        return found is not None

    def _read(self, report: ExportReport) -> None:
        upload = self._upload

        def on_bad(bad: BadRow) -> None:
            if len(upload.bad) < self._bad_kept:
                upload.bad.append((f"{bad.file}, line {bad.line}", bad.reason))

        for _ in rows_of(self._folder.file(upload), self._today, report, on_bad, self._progress):
            pass
