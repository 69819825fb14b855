"""What a finished run says, from the rows of its evaluations and only from files that this run made.

Read training_root.py (who answered, who judged, the means), reading.py (how it is read), claims.py (which tutor is
better, and what to beware of), table.py, charts.py and forest.py; paper.py has the published values.
"""
