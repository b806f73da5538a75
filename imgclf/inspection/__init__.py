"""Inspects data before anything is trained on it; needs no TensorFlow.

`dataset_inspection` summarizes data that is loaded. `photo_inspection` checks folders and tables of
photos: `photo` measures the files, `file_rules`, `class_rules`, `copy_rules` and `shortcuts` make
findings of it, and `photo_report`, `photo_files` and `contact_sheet` show them.
"""
