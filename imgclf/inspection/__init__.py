"""A look at data before anything is trained on it; needs no TensorFlow.

`dataset` counts what is in memory or loaded. The rest checks folders and tables of photos: `photo`
measures one file, `measuring` all of them, `hash_index` and `near_copies` find
images that are there twice, `shortcuts` what gives the class away, `file_rules`, `class_rules`
and `copy_rules` turn it into findings, and `photos`, `report`, `contact_sheet` and `tables` show
them.
"""
