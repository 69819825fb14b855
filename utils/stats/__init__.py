"""Statistics: means and shares with intervals, paired comparisons of tutors, agreement between raters.

Read groups.py (which rows are not independent), means.py, comparisons.py; then human_ratings.py (what people's ratings
look like), raters.py and bootstrap.py, agreement.py (a judge against people), agreement_table.py (the same in words);
labels.py (a judge against labels of another scheme).
"""
