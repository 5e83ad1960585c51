"""Data Docs: openable from disk, with the example rows that the evidence must not hold."""

import re

from tests.quality.conftest import failed, sound_rows


def broken(lake):
    rows = sound_rows()
    for row in rows["outcomes"][:3]:
        row |= {"revenue": -12.5, "unit_id": f"<script>alert('{row['unit_id']}')</script>"}
    lake.fill(rows)


def test_a_page_shows_example_rows_and_the_evidence_does_not(lake, tmp_path):
    broken(lake)
    docs = tmp_path / "data-docs"
    report = lake.run(suites=("outcomes",), docs=docs)
    assert "outcomes.possible-revenue" in failed(report)
    page = (docs / report.docs).read_text()
    assert page.count("-12.5") == 3
    assert "3 of 2,800 rows" in page
    assert "Refunds booked as negative revenue" in page
    assert "Great Expectations: " in page
    evidence = str(report.to_document())
    assert "-12.5" not in evidence
    assert "alert" not in evidence


def test_a_page_needs_no_network_and_runs_no_script(lake, tmp_path):
    broken(lake)
    page = (tmp_path / "docs" / lake.run(suites=("outcomes",), docs=tmp_path / "docs").docs).read_text()
    assert not re.search(r"""(?:src|href)=["']?https?:""", page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_pages_are_kept_and_listed(lake, tmp_path):
    lake.fill(sound_rows())
    docs = tmp_path / "docs"
    first, second = lake.run(suites=("outcomes",), docs=docs), lake.run(suites=("outcomes",), docs=docs)
    history = lake.run(suites=("outcomes",), docs=docs, optimization="", shares=None)
    assert len({first.docs, second.docs, history.docs}) == 3
    assert first.docs.startswith("checkout/opt-1/20260308T000000")
    index = (docs / "index.html").read_text()
    for report in (first, second, history):
        assert f'href="{report.docs}"' in index
        assert (docs / report.docs).is_file()


def test_a_name_cannot_leave_the_folder(lake, tmp_path):
    lake.fill(sound_rows())
    docs = tmp_path / "docs"
    report = lake.run(suites=("outcomes",), docs=docs, surface="../../etc", optimization="../x")
    assert (docs / report.docs).resolve().is_relative_to(docs.resolve())


def test_docs_that_cannot_be_written_do_not_hide_the_verdict(lake, tmp_path):
    broken(lake)
    (tmp_path / "file").write_text("not a folder")
    report = lake.run(suites=("outcomes",), docs=tmp_path / "file")
    assert report.docs is None
    assert report.verdict == "fail"


def test_units_in_two_variants_are_shown(lake, tmp_path):
    rows = sound_rows()
    rows["exposures"].append(rows["exposures"][1] | {"event_id": "again", "variant": "treatment"})
    lake.fill(rows)
    report = lake.run(suites=("exposures",), docs=tmp_path / "docs")
    page = (tmp_path / "docs" / report.docs).read_text()
    assert "<td>u1</td><td>2</td>" in page
    assert "no row must come of SELECT unit_id" in page
