"""Agreement between raters, and its intervals.

Read human_ratings.py (what people's ratings look like), raters.py (the statistics), agreement.py (a judge against
people), agreement_table.py (the same in words).
"""
