"""Files that are no YAML, no text, no mapping, too large, or built to blow up."""

import os

import pytest

from belay.policy.document import MAX_BYTES, read_document
from belay.policy.load import check_policies, load_policies

UNREADABLE = [
    (b"", 1, "the file is empty"),
    (b"# only a remark\n", 1, "the file is empty"),
    (b"~\n", 1, "the file is empty"),
    (b"- a\n- b\n", 1, "the file is not a mapping"),
    (b"just words\n", 1, "the file is not a mapping"),
    (b"title: a\nowner: \xff\n", 2, "byte 0xff is not UTF-8"),
    (b"title: a\nsurface: b: c\n", 2, "this is not YAML: mapping values are not allowed"),
    (b"title: a\n\tsurface: b\n", 2, "this is not YAML"),
    (b"title: [a, b\n", 2, "this is not YAML"),
    (b"title: 'a\n", 2, "this is not YAML"),
    (b"title: a\nsurface: \x07\n", 2, "control character"),
    (b"title: &a x\nsurface: *a\n", 1, "anchors and aliases"),
    (b"title: a\nsurface: !!python/object:os.system x\n", 2, "tags"),
    (b"title: a\n? [b, c]\n: d\n", 2, "a key must be a word"),
    (b"title: a\n---\ntitle: b\n", 2, "a second document"),
    (b"a: " + b"[" * 50_000 + b"\n", 1, "levels deep"),
    (b"title: a\n" + b"# " + b"x" * MAX_BYTES, 1, "larger than 256 KiB"),
]


@pytest.mark.parametrize(("raw", "line", "says"), UNREADABLE)
def test_an_unreadable_file_is_named_and_takes_nothing_else_down(folder, raw, line, says):
    folder.write("broken", raw)
    loaded = folder.load()
    assert set(loaded.capabilities) == {"example"}
    [error] = loaded.errors_of("broken")
    assert (error.file, error.line) == ("broken.yaml", line)
    assert says in error.problem
    assert error.right


def test_an_expansion_bomb_costs_nothing(folder):
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 30))
    folder.write("bomb", "l0: &l0 [x]\n" + levels)
    assert "anchors and aliases" in str(folder.load().errors_of("bomb")[0])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(folder):
    (folder.path / "example.yaml").chmod(0)
    assert "cannot be read" in folder.error()


def test_a_folder_where_a_file_should_be(folder):
    (folder.path / "odd.yaml").mkdir()
    assert "odd.yaml:1: the file cannot be read: Is a directory" in folder.error()


def test_a_missing_folder_is_one_error(tmp_path):
    [error] = check_policies(tmp_path / "nowhere")
    assert "does not exist" in str(error)
    assert "BELAY_POLICIES" in error.right


def test_files_that_would_be_ignored_are_named(folder):
    (folder.path / "other.yml").write_text("title: x")
    folder.write("_peeple", "people: {}")
    folder.write("Bad-Name", (folder.path / "example.yaml").read_text())
    errors = folder.errors()
    assert any(
        "other.yml:1: files that end in .yml are not read; rename it to other.yaml" in e for e in errors
    )
    assert any("_peeple.yaml:1: there is no such shared file" in error for error in errors)
    assert any("Bad-Name.yaml:1: the file's name is no capability id" in error for error in errors)


def test_lines_survive_comments_blank_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeff# remark\n\na:\n  b: 1\n\n  c: [1,\n      2]\n".encode())
    document = read_document(path)
    assert document.value == {"a": {"b": 1, "c": [1, 2]}}
    assert document.place(("a", "c", 1)) == ("a.yaml", 7)
    assert document.place(("a", "nothing", "here")) == ("a.yaml", 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e-3", 0.001),
        ("010", 10),
        ("0x1F", "0x1F"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ("1" * 30, int("1" * 30)),
        ("1_000", "1_000"),
    ],
)
def test_scalars_follow_the_core_schema(tmp_path, text, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"a: {text}\n")
    assert read_document(path).value == {"a": value}


def test_the_brief_path_of_loading_never_raises(tmp_path):
    (tmp_path / "x.yaml").write_text("a: 1")
    loaded = load_policies(tmp_path)
    assert {error.file for error in loaded.errors} >= {"_ladder.yaml", "_metrics.yaml", "_people.yaml"}
