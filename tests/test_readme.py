"""What the documents say of variables and alarms is what the code and the templates have."""

from __future__ import annotations

import re

import pytest

from tests.documents import ROOT
from timelapse_runtime.runtime import errors as runtime_errors
from timelapse_runtime.runtime.state import errors as state_errors
from timelapse_runtime.timelapse import errors
from timelapse_runtime.timelapse.variables import PREFIX, VARIABLES, table

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
INFRA = (ROOT / "infra" / "README.md").read_text()
ALARM = re.compile(r"^  (\w+)Alarm:\n    Type: AWS::CloudWatch::Alarm\n", re.MULTILINE)
ALARMS = {path.name: set(ALARM.findall(path.read_text())) for path in sorted((ROOT / "infra").glob("*.yaml"))}
SECTIONS = {
    name: text
    for name, text in re.findall(
        r"^### (\w+)\n(.*?)(?=^##)", INFRA.partition("\n## Alarms\n")[2], re.DOTALL | re.MULTILINE
    )
    if "*Means:*" in text or name in set().union(*ALARMS.values())
}


def test_the_documents_table_of_variables_is_the_codes() -> None:
    start, end = "<!-- table: timelapse_runtime/timelapse/variables.py -->\n", "<!-- end of table -->"
    assert CONFIGURATION.partition(start)[2].partition(end)[0] == table()


def test_the_documents_name_the_variables_that_no_stream_has_for_itself() -> None:
    _, _, rest = CONFIGURATION.partition("A stream can have all settings but these")
    named = re.findall(rf"`{PREFIX}(\w+)`", rest.partition("\n\n")[0])
    assert named == [variable.name for variable in VARIABLES if not variable.is_of_stream]


def test_each_alarm_of_the_templates_has_a_section_and_no_other_has() -> None:
    assert {"template.yaml", "cameras.yaml"} <= ALARMS.keys()
    assert set(SECTIONS) == set().union(*ALARMS.values()), "infra/README.md, Alarms: a section for each"


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_an_alarms_section_says_what_it_means_how_to_look_what_to_do_and_how_it_ends(name: str) -> None:
    text = SECTIONS[name]
    assert re.findall(r"\*(\w+):\*", text) == ["Means", "Look", "Do", "Ends"]
    having = [template for template, alarms in ALARMS.items() if name in alarms]
    only = re.match(r"\nOf `([\w.]+)`\.", text)
    assert having == ([only[1]] if only else ["cameras.yaml", "template.yaml"])


def test_the_errors_section_names_errors_that_there_are() -> None:
    first_cells = re.findall(r"^\| (\w+)[ ,]", SECTIONS["Errors"], re.MULTILINE)
    named = [name for name in first_cells if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", name)]
    assert len(named) >= 5
    modules = errors, runtime_errors, state_errors
    assert [name for name in named if not any(hasattr(module, name) for module in modules)] == []
