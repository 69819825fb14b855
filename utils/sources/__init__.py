"""Download the public datasets, convert them to seeds and split them by problem; fetch_datasets.py uses this package.

Start with download.py and raw_dialogue.py (code that all three converters share). mathdial.py, tutorchat.py and
debugging.py convert, convert.py runs them, splits.py splits, and make_seeds.py turns raw files into seed files.
folder.py writes the output folder, licenses.py the text on licences. mrbench.py reads answers with human labels, which
are not seeds; the script mrbench.py uses it.
"""
