"""DICOM files for the tests: those that pydicom brings, and small ones made here."""

from pathlib import Path

import numpy as np
import pydicom
from glm4v_tui_medical.reader import DICOM as DICOM_READER
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

__all__ = ["DICOM_READER", "LOCAL", "ct", "saved"]

LOCAL = Path(pydicom.__file__).parent / "data" / "test_files"
"""In pydicom's wheel; nothing is downloaded."""


def ct(stored, syntax=ExplicitVRLittleEndian, **values) -> Dataset:
    """A CT slice with these stored values; others of its attributes by keyword."""
    stored = np.asarray(stored)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    image.SeriesInstanceUID, image.StudyInstanceUID = "1.2.3", "1.2"
    image.Modality, image.PhotometricInterpretation = "CT", "MONOCHROME2"
    image.Rows, image.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        image.NumberOfFrames = len(stored)
    bits = 8 * stored.dtype.itemsize
    image.SamplesPerPixel, image.PixelRepresentation = 1, int(stored.dtype.kind == "i")
    image.BitsAllocated, image.BitsStored, image.HighBit = bits, bits, bits - 1
    image.RescaleSlope, image.RescaleIntercept = 1, -1024
    image.PixelSpacing = [1, 1]
    for name, value in values.items():
        if value is None:
            delattr(image, name)
        else:
            setattr(image, name, value)
    image.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    return image


def saved(path: Path, image: Dataset) -> Path:
    """Written as its transfer syntax says, with a preamble."""
    image.save_as(path, enforce_file_format=True)
    return path
