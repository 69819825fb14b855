"""Statistics: means and shares with intervals, paired comparisons of tutors, agreement between raters.

Read groups.py (which rows are not independent), means.py, comparisons.py; then human_ratings.py (the format of people's
ratings), raters.py and bootstrap.py, agreement.py (a judge against people), agreement_table.py (the same as text);
labels.py (a judge against labels of another scheme).
"""
