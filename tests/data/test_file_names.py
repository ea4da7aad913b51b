# SPDX-License-Identifier: Apache-2.0
"""What names tell; where a public thread met the situation, the id of the test names it."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from scripts.data.file_names import read_name, subject_name

LONI = "ADNI_002_S_0295_MR_{}_20060418193713091_1_S13408_I13722.nii"

IMAGES = [
    ("IXI-T1/IXI012-HH-1211-T1.nii.gz", "IXI012", "1211"),
    ("Brats17_CBICA_AAB_1/Brats17_CBICA_AAB_1_t1.nii.gz", "Brats17_CBICA_AAB", "1"),
    ("Brats17_2013_0_1/Brats17_2013_0_1_t1.nii.gz", "Brats17_2013_0", "1"),
    ("BraTS20_Training_001/BraTS20_Training_001_t1.nii", "BraTS20_Training_001", None),
    ("BraTS2021_00000/BraTS2021_00000_t1.nii.gz", "BraTS2021_00000", None),
    ("BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n.nii.gz", "BraTS-GLI-00001", "000"),
    ("BraTS-MEN-RT-0001-1/BraTS-MEN-RT-0001-1_t1n.nii.gz", "BraTS-MEN-RT-0001", "1"),
    ("HG/brats_2013_pat0001_1/VSD.Brain.XX.O.MR_T1.54513.mha", "brats_2013_pat0001", "1"),
    ("002_S_0295/MP-RAGE/2006-04-18/S13408/" + LONI.format("MP-RAGE__br_raw"), "002_S_0295", "20060418"),
    (LONI.format("MPR__GradWarp__B1_Correction__N3__Scaled_Br"), "002_S_0295", "20060418"),
    (LONI.format("Accelerated_SAG_IR-SPGR_br_raw"), "002_S_0295", "20060418"),
    ("PPMI_3102_MR_MPRAGE_GRAPPA2_br_raw_20110101193713091_1_S1_I2.nii", "3102", "20110101"),
    ("002_S_0295_m06.nii.gz", "002_S_0295", "m06"),
    ("002_S_0295/T1.nii.gz", "002_S_0295", None),
    ("disc1/OAS1_0001_MR2/RAW/OAS1_0001_MR2_mpr-1_anon.nii.gz", "OAS1_0001", "MR2"),
    ("OAS2_0001_MR2/RAW/mpr-1.nii.gz", "OAS2_0001", "MR2"),
    ("OAS30002_MR_d0653/anat1/NIFTI/T1.nii.gz", "OAS30002", "MR_d0653"),
    ("sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "sub-01", "ses-2"),
    ("sub-01/ses-2/anat/T1.nii.gz", "sub-01", "ses-2"),
    ("sub-01/ses-baseline/anat/T1.nii.gz", "sub-01", "ses-baseline"),
    ("sub-05/sub-05_T1.nii.gz", "sub-05", None),
    ("sub-05_loc-Head_T1w.nii.gz", "sub-05", None),
    ("Anna_T1.NII.GZ", "Anna", None),
    ("flair_study_001/anna.nii", "anna", None),
    ("flair_study_of_all/anna.nii", "anna", None),
    ("anna_visit2_T1w.nii", "anna", "visit2"),
    ("T1_anna_N4_brain.nii", "anna", None),
    ("P001_2019-01-31_T1.nii.gz", "P001", "2019-01-31"),
    ("anna_baseline.nii", "anna", "baseline"),
    ("PD_001_T1.nii.gz", "PD_001", None),  # Parkinson's disease, not proton density
    ("anna/ses-1/t1.nii", "", "ses-1"),
]


@pytest.mark.parametrize(("path", "subject", "session"), IMAGES, ids=[path for path, *_ in IMAGES])
def test_images(path: str, subject: str, session: str | None):
    name = read_name(PurePath(path))
    assert (name.kind, name.subject, name.session) == ("image", subject, session)


OTHERS = {
    "BraTS20_Training_001/BraTS20_Training_001_t1ce.nii": "other: T1-weighted with a contrast agent",
    "BraTS20_Training_001/BraTS20_Training_001_seg.nii": "region: a segmentation of a tumour",
    "BraTS-GLI-00001-000/BraTS-GLI-00001-000-t2f.nii.gz": "other: FLAIR",
    "BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n-voided.nii.gz": "other: an image with holes",
    "BraTS-GLI-00001-000/BraTS-GLI-00001-000-mask-unhealthy.nii.gz": "region: a segmentation of a tumour",
    "HG/brats_2013_pat0001_1/VSD.Brain_3more.XX.XX.OT.54517.mha": "region: a segmentation of a tumour",
    "labelsTr/BRATS_001.nii.gz": "region: a segmentation of a tumour",
    "IXI012-HH-1211-PD.nii.gz": "other: proton density",
    "IXI012-HH-1211-DTI-00.nii.gz": "other: diffusion",
    LONI.format("Axial_T2_FLAIR__br_raw"): "other: FLAIR",
    LONI.format("Field_Mapping__br_raw"): "other: MR 'Field Mapping'",
    LONI.format("MPR__GradWarp__B1_Correction__Mask_Br"): "region: a mask",
    LONI.replace("_MR_", "_PT_").format("AV45_Coreg_Br"): "other: PET",
    "OAS30001_MR_d0129/anat3/sub-OAS30001_sess-d0129_T2w.nii.gz": "other: T2w",
    "sub-01/anat/sub-01_UNIT1.nii.gz": "other: UNIT1",
    "sub-01/anat/sub-01_part-phase_T1w.nii.gz": "other: the phase of the signal",
    "sub-01/func/rest.nii.gz": "other: functional",
    "sub-01/anat/sub-01_label-L_desc-T1lesion_mask.nii.gz": "region: a mask of L T1lesion",
    "sub-01/anat/sub-01_label-WM_mask.nii.gz": "region: a mask of WM",
    "sub-01/anat/sub-01_desc-lesion_dseg.nii.gz": "region: a mask of a lesion",
    "sub-01/anat/sub-01_desc-Lesion_dseg.nii.gz": "region: a mask of a lesion",
    "p1_t1_gd.nii": "other: T1-weighted with a contrast agent",
    "p1_T1_to_T2.nii": "other: T2-weighted",
    "T2/001.nii.gz": "other: T2-weighted",
    "001/FLAIR/scan.nii.gz": "other: FLAIR",
    "p1_tumor_seg.nii.gz": "region: a mask of a lesion",
    "p1_wmh.nii.gz": "region: a mask of a lesion",
    "CT_001.nii": "other: CT",
    "sub-02/anat/sub-01_T1w.nii.gz": "odd: its name says sub-01, its folder sub-02",
}
SEEN = {
    # iolag/UPD_study 3: this patient's segmentation alone has another name
    "UPD_study-3": ("BraTS20_Training_355/W39_1998.09.19_Segm.nii", "region: a segmentation of a tumour"),
    # nipreps/fmriprep 2892: the name that its documentation asked for
    "fmriprep-2892": ("sub-001/anat/sub-001_T1w_label-lesion_roi.nii.gz", "region: a mask of a lesion"),
    # nipreps/fmriprep 1767: a spine beside the brain
    "fmriprep-1767": ("sub-01/anat/sub-01_loc-spine_T1w.nii.gz", "other: of another part of the body (spine)"),
    # ExploreASL 359: a T1w after the contrast agent is still called T1w
    "ExploreASL-359": ("sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz", "other: T1-weighted with a contrast agent"),
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [*OTHERS.items(), *SEEN.values()],
    ids=[*OTHERS, *SEEN],
)
def test_what_is_no_image(path: str, expected: str):
    name = read_name(PurePath(path))
    assert f"{name.kind}: {name.what}".startswith(expected)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("labels/IXI012-HH-1211_T1_DLMUSE.nii.gz", "label"),
        ("bert/mri/aparc+aseg.nii.gz", "label"),
        ("bert/mri/aparc.DKTatlas+aseg.deep.nii.gz", "label"),
        ("p1_synthseg.nii.gz", "label"),
        ("OAS1_0001_MR1/FSL_SEG/OAS1_0001_MR1_mpr_n4_anon_111_t88_masked_gfc_fseg.nii.gz", "label"),
        ("derivatives/x/sub-01/anat/sub-01_desc-aseg_dseg.nii.gz", "label"),
        ("derivatives/x/sub-01/anat/sub-01_desc-brain_mask.nii.gz", "mask"),
        ("sub-01_label-brain_mask.nii.gz", "mask"),
        ("sub-01_desc-Brain_mask.nii.gz", "mask"),
        ("p1_brainmask.nii.gz", "mask"),
        ("p1BrainExtractionMask.nii.gz", "mask"),
        ("masks/p1.nii.gz", "mask"),
    ],
)
def test_labels_and_masks(path: str, kind: str):
    assert read_name(PurePath(path)).kind == kind


def test_sessions_that_oasis_calls_sess():
    """NrgXnat/oasis-scripts 55: the files of OASIS-3 say sess- where BIDS says ses-."""
    name = read_name(PurePath("OAS30001_MR_d0129/anat2/sub-OAS30001_sess-d0129_run-01_T1w.nii.gz"))
    assert (name.kind, name.subject, name.session) == ("image", "sub-OAS30001", "ses-d0129")


def test_visits_after_the_subject_of_bids():
    """ExploreASL 732: two visits, sub-001_1 and sub-001_2, became two subjects."""
    for path in ("sub-001_1.nii.gz", "sub-001_2/T1.nii.gz"):
        assert read_name(PurePath(path)).subject == "sub-001"


def test_names_in_tables():
    names = ["BraTS20_Training_001", "OAS1_0001_MR1", "002_S_0295_bl", "sub-01_ses-2", "p1_2"]
    assert [subject_name(name) for name in names] == [
        "BraTS20_Training_001", "OAS1_0001", "002_S_0295", "sub-01", "p1_2",
    ]  # fmt: skip
