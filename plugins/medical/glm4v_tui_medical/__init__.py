"""Reads medical images, DICOM files among them. Not for diagnosis."""
