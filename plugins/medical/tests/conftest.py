"""The DICOM reader installed for every test, and what was there before put back."""

import pytest
from medical_files import DICOM_READER

from glm4v_tui import images


@pytest.fixture(autouse=True)
def reader():
    before = images.installed_readers()
    images.install_readers([DICOM_READER])
    yield DICOM_READER
    images.install_readers(before)
