"""The layer without media, and a plain zip beside it with packages that need much of Python.

Not in CI: it downloads 100 MB and takes a minute. `scripts/test tests/package/test_scientific.py` runs it.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

from scripts.packager.system import ThisMachine
from scripts.packager.wheels import install
from tests.integration.conftest import emulator_binary, ending  # noqa: F401 - fixtures
from tests.package.conftest import ROOT
from tests.package.sandbox import emulator_in_chroot, make_root, unzip

FUNCTION = """
import multiprocessing, time
import numpy, pandas, pydantic, sqlalchemy
import scipy.fft, scipy.integrate, scipy.interpolate, scipy.linalg, scipy.ndimage, scipy.optimize, scipy.signal
import scipy.sparse, scipy.spatial, scipy.special, scipy.stats
import sklearn.cluster, sklearn.datasets, sklearn.decomposition, sklearn.ensemble, sklearn.linear_model
import sklearn.metrics, sklearn.model_selection, sklearn.neighbors, sklearn.neural_network, sklearn.pipeline

class Item(pydantic.BaseModel):
    name: str
    price: float

class Model:
    def open(self, environment):
        x, y = sklearn.datasets.make_regression(100, 3, random_state=1)
        self.model = sklearn.ensemble.RandomForestRegressor(10, random_state=1).fit(x, y)
        self.engine = sqlalchemy.create_engine("sqlite://")

    def invoke(self, event, context):
        item = Item.model_validate(event)
        days = pandas.date_range("2026-01-01", periods=2, tz="Europe/Berlin")
        frame = pandas.DataFrame({"price": [item.price, 2.0]}, index=days)
        frame.to_sql("prices", self.engine, if_exists="replace", index=False)
        with self.engine.connect() as connection:
            (total,) = connection.execute(sqlalchemy.text("select sum(price) from prices")).one()
        minimum = scipy.optimize.minimize_scalar(lambda x: (x - item.price) ** 2).x
        return {"total": total, "minimum": round(float(minimum), 6), "trees": len(self.model.estimators_)}
"""


def test_what_needs_much_of_python_runs_on_the_layer(
    emulator_binary: Path,  # noqa: F811
    ending: ExitStack,  # noqa: F811
    tmp_path: Path,
) -> None:
    command = [str(ROOT / "scripts" / "package"), "--without-media", "--out", str(tmp_path / "dist")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    root = make_root(tmp_path / "root", emulator_binary)
    unzip(Path(json.loads(done.stdout.splitlines()[-1])["layer"]), root / "opt")
    (tmp_path / "requirements.txt").write_text("pandas\npydantic\nscikit-learn\nscipy\nSQLAlchemy\n")
    install(tmp_path / "requirements.txt", root / "var" / "task", ThisMachine().platforms)
    (root / "var" / "task" / "app.py").write_text(FUNCTION)
    running = ending.enter_context(
        emulator_in_chroot(
            root, tmp_path / "scratch", bootstrap=Path("/opt/bootstrap"), handler="app.Model", variables={}
        )
    )
    answer = running.invoke({"name": "tea", "price": "3.5"})
    assert answer.payload == {"total": 5.5, "minimum": 3.5, "trees": 10}, answer.body
