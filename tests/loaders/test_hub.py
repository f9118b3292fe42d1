"""Parquet files, and Hub data sets; ``load_dataset`` is replaced since tests have no network."""

from __future__ import annotations

import datetime
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from bertft.errors import DataError
from bertft.loaders import hub
from bertft.loaders.hub import HubName, parse_hub, read_hub
from bertft.loaders.source import Source
from bertft.loaders.tables import PEEK, Row, open_table
from bertft.settings import DataSettings

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FEATURES = Features(
    {
        "text": Value("string"),
        "label": ClassLabel(names=["neg", "pos"]),
        "tags": Sequence(ClassLabel(names=["O", "B-PER"])),
        "parts": {"role": ClassLabel(names=["a", "b"]), "at": Value("int32")},
    }
)
ROWS = {
    "text": ["나쁘다", "좋다", "?"],
    "label": [0, 1, -1],
    "tags": [[0, 1], [], None],
    "parts": [{"role": 1, "at": 3}, {"role": None, "at": 4}, None],
}


class Calls(list):
    """What load_dataset was called with; it gives ``result``, or raises it."""

    result: object

    def __call__(self, *names: object, revision: str | None) -> object:
        self.append((*names, revision))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    train = Dataset.from_dict(ROWS, features=FEATURES)
    calls.result = DatasetDict(train=train, validation=train.select([1]))
    monkeypatch.setattr(datasets, "load_dataset", calls)
    return calls


def source(path: str) -> Source:
    return Source(path, DataSettings())


class TestNames:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("hub:imdb", HubName("imdb")),
            ("hub:stanfordnlp/sst2", HubName("stanfordnlp/sst2")),
            ("hub:o/n:default:train", HubName("o/n", "default", "train")),
            ("hub:o/n:train", HubName("o/n", "", "train")),
            ("hub:o/n:validation", HubName("o/n", "", "validation")),
            ("hub:o/n:ynat", HubName("o/n", "ynat")),
            ("hub:o/n::part_1", HubName("o/n", "", "part_1")),
            ("hub:o/n:train:", HubName("o/n", "train")),
            ("hub:o/n:20220301.en:train", HubName("o/n", "20220301.en", "train")),
            (f"hub:o/n@{COMMIT}:c:test", HubName("o/n", "c", "test", COMMIT)),
        ],
    )
    def test_parts(self, path, expected):
        assert parse_hub(path) == expected

    @pytest.mark.parametrize(
        "path",
        [
            "hub:",
            "hub:a/b/c",
            "hub:/tmp/x",
            "hub:../x",
            "hub:a/..",
            "hub:a b",
            "hub:o/n:a:b:c",
            "hub:o/n@:a",
            "hub:.a/b",
            "hub:한/글",
            "o/n",
            "hub:https://x.y/z",
        ],
    )
    def test_faults(self, path):
        with pytest.raises(DataError, match="hub:owner/name"):
            parse_hub(path)


class TestHub:
    def test_rows_with_label_names(self, load):
        table = open_table(source("hub:o/n:default:train"))
        assert load == [("o/n", "default", None)]
        assert table.columns == ("text", "label", "tags", "parts")
        assert table.fraction() == 1.0  # rows are read ahead
        assert list(table) == [
            Row(dict(zip(table.columns, values, strict=True)), line)
            for line, values in [
                (1, ("나쁘다", "neg", ["O", "B-PER"], {"role": "b", "at": 3})),
                (2, ("좋다", "pos", [], {"role": None, "at": 4})),
                (3, ("?", None, None, None)),
            ]
        ]
        assert table.fraction() == 1.0

    def test_many_batches_and_a_selection(self, load):
        data = Dataset.from_dict({"n": list(range(5000))}).select(range(4999, -1, -2))
        load.result = DatasetDict(train=data)
        table = read_hub(source("hub:o/n"))
        assert [(row.line, row.fields["n"]) for row in table] == [
            (line, n) for line, n in enumerate(range(4999, -1, -2), 1)
        ]

    def test_split(self, load):
        assert len(list(read_hub(source("hub:o/n:validation")))) == 1
        with pytest.raises(DataError, match=r"as in hub:o/n:c:train") as caught:
            read_hub(source("hub:o/n:c"))
        assert "it has: train, validation" in caught.value.message
        with pytest.raises(DataError, match=r"no split 'valid'; .*did you mean 'validation'"):
            read_hub(source("hub:o/n:valid"))

    def test_a_label_number_without_name(self, load):
        skipped: list[DataError] = []
        table = pa.table({"label": [0, 7, 1]})
        load.result = {"train": Dataset(table, datasets.DatasetInfo())}
        load.result["train"].info.features = Features({"label": ClassLabel(names=["a", "b"])})
        rows = list(read_hub(Source("hub:o/n", DataSettings(), bad_row=skipped.append)))
        assert rows == [Row({"label": "a"}, 1), Row({"label": "b"}, 3)]
        assert [error.line for error in skipped] == [2]

    def test_revision(self, load):
        train = load.result["train"]
        train.info.download_checksums = {f"hf://datasets/o/n@{COMMIT}/data/train.parquet": {}}
        assert read_hub(source("hub:o/n:train")).revision == COMMIT
        assert read_hub(source(f"hub:o/n@{COMMIT}:train")).revision == COMMIT
        assert load[-1] == ("o/n", None, COMMIT)
        with pytest.raises(DataError, match="the cache holds commit"):
            read_hub(source(f"hub:o/n@{'f' * 40}:train"))

    def test_a_local_folder_is_never_read_instead(self, load, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("imdb").mkdir()
        with pytest.raises(DataError, match="there is a local folder imdb"):
            read_hub(source("hub:imdb"))
        for reader in ("csv", "json", "pandas"):
            with pytest.raises(DataError, match="the owner of the data set is missing"):
                read_hub(source(f"hub:{reader}"))
        assert load == []

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ConnectionError("Couldn't reach 'o/n'"), "could not be fetched from the Hugging Face"),
            (TimeoutError(), "could not be fetched from the Hugging Face"),
            (OSError("No space left on device"), r"could not be loaded \(No space left"),
            (KeyError(), r"could not be loaded \(KeyError\)"),
        ],
    )
    def test_failures_suggest_local_files(self, load, error, message):
        load.result = error
        with pytest.raises(DataError, match=message) as caught:
            read_hub(source("hub:o/n:train"))
        assert caught.value.hint == hub.LOCAL
        assert caught.value.path == "hub:o/n:train"

    def test_a_connection_lost_in_between(self, load):
        load.result = RuntimeError("An error occurred while generating the dataset")
        load.result.__cause__ = ConnectionError()
        with pytest.raises(DataError, match="could not be fetched"):
            read_hub(source("hub:o/n:train"))

    def test_no_such_data_set_or_config(self, load):
        load.result = datasets.exceptions.DatasetNotFoundError("Dataset 'o/n' doesn't exist")
        with pytest.raises(DataError, match=r"doesn't exist.*check the name"):
            read_hub(source("hub:o/n:train"))
        load.result = ValueError("BuilderConfig 'x' not found.\nAvailable: ['a', 'b']")
        with pytest.raises(DataError, match=r"Available: \['a', 'b'\]; name a config: hub:o/n:"):
            read_hub(source("hub:o/n:x:train"))

    def test_progress_bars_are_as_before(self, load):
        assert not datasets.are_progress_bars_disabled()
        read_hub(source("hub:o/n:train"))
        assert not datasets.are_progress_bars_disabled()

    def test_really_offline(self, tmp_path, monkeypatch):
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
        with pytest.raises(DataError, match=r"no-owner/no-name could not be fetched") as caught:
            read_hub(source("hub:no-owner/no-name:train"))
        assert caught.value.hint == hub.LOCAL


class TestParquet:
    def write(self, folder: Path, table: pa.Table) -> str:
        pq.write_table(table, folder / "a.parquet", row_group_size=700)
        return str(folder / "a.parquet")

    def test_rows(self, tmp_path, read):
        day = datetime.date(2020, 1, 2)
        values = {"text": ["a", None] * 1500, "labels": [["x"], []] * 1500, "day": [day] * 3000}
        table = open_table(source(self.write(tmp_path, pa.table(values))))
        rows = iter(table)
        assert next(rows) == Row({"text": "a", "labels": ["x"], "day": day}, 1)
        assert next(rows) == Row({"text": None, "labels": [], "day": day}, 2)
        assert table.fraction() == PEEK / 3000
        assert [row.line for row in rows] == list(range(3, 3001))
        assert table.columns == ("text", "labels", "day")

    def test_categories_become_values(self, tmp_path, read):
        column = pa.array(["x", "y", "x"]).dictionary_encode()
        path = self.write(tmp_path, pa.table({"label": column}))
        assert read(path).values == [["x"], ["y"], ["x"]]

    def test_no_rows(self, tmp_path, read):
        path = self.write(tmp_path, pa.table({"text": pa.array([], pa.string())}))
        found = read(path)
        assert (found.columns, found.rows) == (("text",), [])

    def test_text_that_is_not_utf_8(self, tmp_path, read):
        data = pa.array([b"a", b"\xff", b"b"], pa.binary())
        column = pa.Array.from_buffers(pa.string(), 3, data.buffers())
        path = self.write(tmp_path, pa.table({"text": column}))
        with pytest.raises(DataError, match=r"a\.parquet:2: not UTF-8 text"):
            read(path)
        assert read(path, skip=True).lines == [1, 3]

    def test_no_parquet(self, write, read):
        for content in (b"", b"text,label\n", b"PAR1" + bytes(50) + b"PAR1"):
            with pytest.raises(DataError, match="not a whole Parquet file"):
                read(write("a.parquet", content))
        with pytest.raises(DataError, match="no such file"):
            read("no.parquet")

    def test_damage_is_an_error(self, tmp_path, read):
        path = Path(self.write(tmp_path, pa.table({"text": [f"text {n}" for n in range(3000)]})))
        data = bytearray(path.read_bytes())
        with pytest.raises(DataError, match="not a whole Parquet file"):
            read(str(self.save(path, data[:-20])))
        data[20 : len(data) // 2] = bytes(len(data) // 2 - 20)
        with pytest.raises(DataError, match="damaged"):
            read(str(self.save(path, data)))

    def save(self, path: Path, data: bytes) -> Path:
        path.write_bytes(data)
        return path

    def test_equal_column_names(self, tmp_path, read):
        table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
        with pytest.raises(DataError, match="two columns have the same name"):
            read(self.write(tmp_path, table))
