"""What docs/configuration.md says of the variables is what the code does."""

from __future__ import annotations

from pathlib import Path

from timelapse_runtime.timelapse.config import table

CONFIGURATION = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()


def test_the_documents_table_of_variables_is_the_codes() -> None:
    start, end = "<!-- table: timelapse_runtime/timelapse/config.py -->\n", "<!-- end of table -->"
    assert CONFIGURATION.partition(start)[2].partition(end)[0] == table()
