import csv
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from pkpd.data.arm_description import describe
from pkpd.data.arms import read_arms
from pkpd.errors import DataError

REAL = Path(__file__).parents[2] / "fits" / "data" / "ox40_trials"


@pytest.fixture(scope="module")
def data():
    return read_arms(REAL)


class Folder:
    """A copy of the real folder whose cells can be changed; the card's checksums follow."""

    def __init__(self, path):
        shutil.copytree(REAL, path)
        self.path = path

    def table(self, file):
        with (self.path / file).open(newline="") as opened:
            return list(csv.reader(opened))

    def write(self, file, table):
        with (self.path / file).open("w", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(table)

    def set(self, file, row, **cells):
        table = self.table(file)
        for column, value in cells.items():
            table[row - 1][table[0].index(column)] = value
        self.write(file, table)

    def row(self, file="data.csv", **cells):
        """The line of the first row with these cells."""
        head, *body = self.table(file)
        for number, row in enumerate(body, start=2):
            if all(row[head.index(column)] == value for column, value in cells.items()):
                return number
        raise LookupError(cells)

    def sign(self):
        card = (self.path / "card.toml").read_text()
        for file in ("data.csv", "arms.csv"):
            digest = hashlib.sha256((self.path / file).read_bytes()).hexdigest()
            card = re.sub(rf'"{file}" = ".*"', f'"{file}" = "{digest}"', card)
        (self.path / "card.toml").write_text(card)

    def faults(self, sign=True):
        if sign:
            self.sign()
        with pytest.raises(DataError) as caught:
            read_arms(self.path)
        assert f"{len(caught.value.faults)} fault" in str(caught.value)
        return caught.value.faults


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "trials")


# --- the real data -----------------------------------------------------------------------------


def test_the_real_data_read_cleanly(data):
    assert data.name == "ox40_trials"
    assert len(data.arms) == 19
    assert len(data.rows) + len(data.excluded) == 1283


def test_every_row_belongs_to_an_arm_and_every_arm_has_rows(data):
    named = {(arm.study, arm.name) for arm in data.arms}
    assert set(zip(data.rows["study"], data.rows["arm"], strict=True)) == named


def test_the_registry_error_is_left_out_by_rule(data):
    error = data.excluded[data.excluded["rule"] == "registry error"]
    assert error[["week", "endpoint", "count"]].values.tolist() == [["12", "EASI90", 26.0]]
    assert "cannot be" in error["reason"].iloc[0]


def test_rates_are_left_out_by_rule(data):
    rates = data.excluded[data.excluded["rule"] == "rates censored at rescue"]
    assert len(rates) == 27
    assert set(rates["week"]) == {"24-52"}


def test_row_is_the_line_in_the_file(data):
    lines = (REAL / "data.csv").read_text().splitlines()
    for row in data.rows.iloc[[0, 500, -1]].to_dict("records"):
        assert lines[row["row"] - 1].startswith(f"{row['study']},{row['nct']},")
        assert row["arm"] in lines[row["row"] - 1]


def test_concentrations_are_in_milligram_per_litre(data):
    rows = data.rows[(data.rows["endpoint"] == "CONC") & (data.rows["week"] == 25)]
    assert set(rows["unit"]) == {"mg/L"}
    continued = rows[rows["arm"] == "250 mg Q4W continued (from 250+LD)"]
    assert continued["value"].tolist() == [73.54]


def test_the_switched_placebo_arm_gets_the_drug_from_week_18(data):
    arm = data.arm("KHK4083-006", "placebo -> 600 mg Q2W from wk18")
    assert (arm.drug, arm.n, arm.last_dose_week) == ("rocatinlimab", 57, 34)
    assert [dose.week for dose in arm.regimen.doses(20)] == [18, 20]


def test_a_withdrawn_arm_has_its_parents_doses_until_week_20(data):
    arm = data.arm("STREAM-AD-2", "withdrawn at wk24 (from 250+LD)")
    assert arm.parent == ("STREAM-AD-1", "250 mg Q4W + 500 mg LD")
    assert (arm.entry_week, arm.last_dose_week) == (24, 20)
    assert arm.regimen.doses(52) == data.arm(*arm.parent).regimen.doses(20)


def test_a_continued_arm_goes_on_as_its_parent(data):
    arm = data.arm("STREAM-AD-2", "125 mg Q4W continued")
    assert arm.regimen == data.arm(*arm.parent).regimen
    assert arm.last_dose_week is None


def test_last_doses_are_those_the_phases_name(data):
    for row in data.rows[data.rows["phase"].str.startswith("off")].to_dict("records"):
        named = float(re.search(r"wk(\d+)", row["phase"])[1])
        assert data.arm(row["study"], row["arm"]).last_dose_week == named


def test_on_drug_rows_state_a_dose_of_the_regimen(data):
    for row in data.rows[data.rows["phase"].str.startswith("on")].to_dict("records"):
        doses = data.arm(row["study"], row["arm"]).regimen.doses(60)
        assert row["dose_mg"] in {dose.amount for dose in doses}


def test_baseline_easi_is_that_of_week_zero(data):
    baseline = data.rows[(data.rows["endpoint"] == "EASI") & (data.rows["week"] == 0)]
    for row in baseline.to_dict("records"):
        arm = data.arm(row["study"], row["arm"])
        assert arm.easi_mean == row["value"]
        assert arm.easi_sd == (row["spread_value"] if row["spread"] == "sd" else None)


def test_part_two_arms_carry_their_parents_baseline(data):
    for arm in data.arms:
        if arm.parent:
            parent = data.arm(*arm.parent)
            assert (arm.easi_mean, arm.easi_sd) == (parent.easi_mean, parent.easi_sd)


def test_an_arms_n_is_the_largest_posted(data):
    for arm in data.arms:
        posted = [
            table[(table["study"] == arm.study) & (table["arm"] == arm.name)]["n"].max()
            for table in (data.rows, data.excluded)
        ]
        assert arm.n == max(n for n in posted if n == n)


def test_the_description_says_what_is_there_left_out_and_to_mind(data):
    text = describe(data)
    assert "1,255 rows on 19 arms and 657 patients" in text
    assert "registry error (row 551)" in text
    assert "rates censored at rescue (27 rows" in text
    assert "confidence interval as printed (row 258)" in text
    assert text.splitlines()[-1].startswith("Next:")


# --- one corruption, one fault -----------------------------------------------------------------

ARM = "150 mg Q4W"
WEEK_20 = {"arm": ARM, "week": "20"}
EASI75 = {**WEEK_20, "endpoint": "EASI75"}
MEAN = {**WEEK_20, "endpoint": "EASI"}
CONC = {"arm": "125 mg Q4W", "week": "20", "endpoint": "CONC"}


@pytest.mark.parametrize(
    ("at", "change", "found"),
    [
        (EASI75, {"arm": "151 mg Q4W"}, "this arm is not in arms.csv"),
        (EASI75, {"drug": "dupilumab"}, "drug 'dupilumab' is not known"),
        (MEAN, {"endpoint": "EASY"}, "endpoint 'EASY' is not known"),
        (MEAN, {"statistic": "mode"}, "statistic 'mode' is not known for EASI"),
        (EASI75, {"statistic": "mean"}, "statistic 'mean' is not known for EASI75"),
        (EASI75, {"estimand": "hoped"}, "estimand 'hoped' is not known"),
        (MEAN, {"spread": "iqr"}, "spread 'iqr' is not known"),
        (CONC, {"unit": "ug/mLL"}, "unit 'ug/mLL' cannot be one of CONC"),
        (CONC, {"unit": "%"}, "unit '%' cannot be one of CONC"),
        (MEAN, {"value": "missing"}, "'missing' in column value is no number"),
        (MEAN, {"value": "inf"}, "'inf' in column value is no number"),
        (MEAN, {"n": "4O"}, "'4O' in column n is no number"),
        (MEAN, {"dose_mg": "150 mg"}, "'150 mg' in column dose_mg is no number"),
        (MEAN, {"week": "twenty"}, "week 'twenty' is no number"),
        (MEAN, {"week": "-2"}, "week -2 is before the start"),
        (MEAN, {"value": ""}, "no value"),
        (MEAN, {"n": ""}, "no n"),
        (MEAN, {"value": "73"}, "EASI of 73 score cannot be"),
        (CONC, {"value": "-1"}, "CONC of -1 ug/mL cannot be"),
        (CONC, {"spread_value": "-1"}, "sd is -1"),
        (MEAN, {"spread_low": "80"}, "spread_low 80 is above spread_high"),
        (MEAN, {"dose_mg": "-150"}, "dose_mg is -150"),
        (MEAN, {"interval_weeks": "-4"}, "interval_weeks is -4"),
        (MEAN, {"n": "53"}, "n 53 is above the arm's n of 52"),
        (MEAN, {"n": "40.5"}, "n 40.5 is no whole number"),
        (EASI75, {"value": "99.9"}, "99.9 % is not"),
    ],
)
def test_a_fault_is_named_with_its_row_and_arm(folder, at, change, found):
    row = folder.row(**at)
    folder.set("data.csv", row, **change)
    faults = folder.faults()
    assert len(faults) == 1, "\n".join(map(str, faults))
    assert re.match(rf"data.csv row {row}, .* arm '1", faults[0].where)
    assert faults[0].found.startswith(found)
    assert faults[0].remedy


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"count": "60", "value": "115.4"}, "count 60 is above the denominator"),
        ({"count": "20.5", "value": "39.4"}, "count 20.5 is no whole number"),
        ({"count": "52", "value": "100"}, "EASI75 counts 52 patients at week 20, EASI50"),
        ({"count": "0", "value": "0"}, "EASI90 counts"),
        ({"denominator": "53"}, "denominator 53 is above the arm's n of 52"),
    ],
)
def test_a_faulty_count_is_named(folder, change, found):
    folder.set("data.csv", folder.row(**EASI75), **change)
    faults = folder.faults()
    assert any(f.found.startswith(found) and f"'{ARM}'" in f.where for f in faults)


def test_a_percentage_is_held_to_its_posted_rounding(folder):
    row = folder.row(**EASI75)
    table = folder.table("data.csv")
    cells = dict(zip(table[0], table[row - 1], strict=True))
    right = 100 * int(cells["count"]) / int(cells["denominator"])
    folder.set("data.csv", row, value=f"{right:.1f}")
    folder.sign()
    read_arms(folder.path)
    folder.set("data.csv", row, value=f"{right + 0.011:.2f}")
    (fault,) = folder.faults()
    assert f"That would be {right:.2f} %" in fault.remedy


def test_a_second_row_for_the_same_thing_is_a_fault(folder):
    table = folder.table("data.csv")
    row = folder.row(**MEAN)
    folder.write("data.csv", [*table, table[row - 1]])
    (fault,) = folder.faults()
    assert fault.where == f"data.csv row 1285, KHK4083-006 arm '{ARM}'"
    assert fault.found.endswith(f"as in row {row}")


def test_week_20_and_week_20_point_0_are_one_week(folder):
    table = folder.table("data.csv")
    twin = list(table[folder.row(**MEAN) - 1])
    twin[table[0].index("week")] = "20.0"
    folder.write("data.csv", [*table, twin])
    (fault,) = folder.faults()
    assert fault.found.startswith("the same week, endpoint")


def test_a_missing_column_is_a_fault_and_the_rest_is_still_checked(folder):
    folder.set("data.csv", 1, denominator="denom")
    folder.set("data.csv", folder.row(**MEAN), week="-2")
    shape, week = folder.faults()
    assert shape.found == "column 'denominator' is missing"
    assert shape.remedy == "Rename 'denom' to 'denominator'."
    assert week.found == "week -2 is before the start"


def test_a_row_of_too_few_cells_is_a_fault(folder):
    table = folder.table("data.csv")
    folder.write("data.csv", [*table[:-1], table[-1][:-2]])
    (fault,) = folder.faults()
    assert fault.where == "data.csv row 1284"
    assert fault.found == "21 cells where the header has 23"


def test_a_changed_file_is_a_fault(folder):
    row = folder.row(**MEAN)
    folder.set("data.csv", row, note="changed")
    (fault,) = folder.faults(sign=False)
    assert fault.where == "card.toml [sha256] 'data.csv'"
    assert "state the new checksum" in fault.remedy


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"n": "many"}, "'many' in column n is no number"),
        ({"n": ""}, "n is ''"),
        ({"n": "52.5"}, "n is '52.5'"),
        ({"regimen": "-150 mg every 4 weeks"}, "the regimen makes no sense"),
        ({"regimen": "150 mg now and then"}, "the regimen makes no sense"),
        (
            {"regimen": "1 mg below 60 kg, 2 mg from 60 kg, every 4 weeks"},
            "the regimen '1 mg below",
        ),
        (
            {"regimen": "1 mg at week 0, re-treat every 4 weeks when EASI-50 is lost"},
            "the regimen '1 mg at week 0, re-treat",
        ),
        ({"regimen": "150 mg every 4 weeks"}, "off drug from week 36, yet the regimen"),
        ({"easi_mean": "80"}, "easi_mean is '80'"),
        ({"easi_sd": "0"}, "easi_sd is '0'"),
        ({"phase_off_week": "-1"}, "phase_off_week is '-1'"),
        ({"parent_study": "X", "parent_arm": "Y"}, "the parent X 'Y' is no other arm"),
        ({"entry_week": "24", "parent_study": "STREAM-AD-1", "parent_arm": "placebo"}, "its doses"),
    ],
)
def test_a_faulty_arm_is_named(folder, change, found):
    row = folder.row("arms.csv", arm=ARM)
    folder.set("arms.csv", row, **change)
    faults = [fault for fault in folder.faults() if fault.where.startswith("arms.csv")]
    assert any(fault.found.startswith(found) for fault in faults), faults
    assert faults[0].where == f"arms.csv row {row}, KHK4083-006 arm '{ARM}'"


def test_placebo_with_doses_is_a_fault(folder):
    row = folder.row("arms.csv", study="STREAM-AD-1", arm="placebo")
    folder.set("arms.csv", row, regimen="10 mg Q4W")
    assert any("placebo, yet the regimen" in fault.found for fault in folder.faults())


def test_a_missing_column_of_arms_does_not_blame_the_rows_of_data(folder):
    folder.set("arms.csv", 1, n="size")
    (fault,) = folder.faults()
    assert str(fault) == "arms.csv header: column 'n' is missing. Add the column 'n'."


def test_a_part_two_row_before_entry_is_a_fault(folder):
    row = folder.row(arm="125 mg Q4W continued", week="28", endpoint="CONC")
    folder.set("data.csv", row, week="20")
    (fault,) = folder.faults()
    assert fault.found == "week 20 is before the arm was entered at week 24"


# --- the card and its rules --------------------------------------------------------------------


def edit(folder, old, new):
    card = folder.path / "card.toml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new))


def test_without_its_rule_the_registry_error_is_a_fault(folder):
    edit(folder, 'note_contains = "REGISTRY ERROR"', 'note_contains = "no such note"')
    (fault,) = folder.faults()
    assert fault.where.startswith("data.csv row 551")
    assert "EASI90 counts 26" in fault.found


def test_without_their_rule_each_rate_is_a_fault(folder):
    edit(folder, 'rule = { statistic = "rate_per', 'rule = { statistic = "no_rate_per')
    faults = folder.faults()
    assert len(faults) == 27
    assert {fault.found for fault in faults} == {"week '24-52' is no number"}


def test_an_excluded_row_is_still_tested_for_the_rest(folder):
    folder.set("data.csv", 551, value="12.3")
    (fault,) = folder.faults()
    assert fault.found == "12.3 % is not 26/57"


def test_a_rule_that_does_not_say_what_it_waives_waives_all(folder):
    edit(folder, 'waives = ["thresholds"]\n', "")
    folder.set("data.csv", 551, value="12.3")
    folder.sign()
    assert 551 in read_arms(folder.path).excluded["row"].tolist()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("title =", "titel =", "'title' is missing"),
        ("[columns.week]", "[columns.weak]", "no unit or meaning"),
        ("note_contains", "nota_contains", "'nota_contains' is no column"),
        ('waives = ["weeks"]', 'waives = ["week"]', "there is no check 'week'"),
        ("[sha256]", "[sha256", "not TOML"),
        ("rule = { note_contains", "regel = { note_contains", "'rule' is missing or empty"),
    ],
)
def test_a_fault_of_the_card_is_named(folder, old, new, found):
    edit(folder, old, new)
    faults = folder.faults(sign=False)
    assert any(f.where.startswith("card.toml") and f.found.startswith(found) for f in faults)


def test_the_fingerprint_follows_data_and_rules_but_not_the_title(folder, data):
    edit(folder, 'title = "', 'title = "New: ')
    assert read_arms(folder.path).sha256 == data.sha256
    edit(folder, "which cannot be.", "which never is.")
    assert read_arms(folder.path).sha256 != data.sha256


# --- all at once -------------------------------------------------------------------------------


def test_all_faults_are_reported_at_once(folder):
    changes = [(MEAN, {"n": "4O"}), (EASI75, {"value": "99.9"}), (CONC, {"unit": "%"})]
    rows = [folder.row(**at) for at, _ in changes]
    for row, (_, change) in zip(rows, changes, strict=True):
        folder.set("data.csv", row, **change)
    folder.set("arms.csv", 2, easi_mean="80")
    faults = folder.faults(sign=False)
    assert len(faults) == 6
    assert sum(fault.where.startswith("card.toml [sha256]") for fault in faults) == 2
    for row in rows:
        assert any(fault.where.startswith(f"data.csv row {row},") for fault in faults)


def test_an_empty_folder_lists_the_three_files(tmp_path):
    with pytest.raises(DataError, match="3 faults") as caught:
        read_arms(tmp_path)
    assert [Path(fault.where).name for fault in caught.value.faults] == [
        "data.csv",
        "arms.csv",
        "card.toml",
    ]
