"""What a finished run says, from the rows of its evaluations and only from files that this run made.

Read training_root.py (who answered, who judged, the means), reading.py (how it is read), claims.py (which tutor is
better, and what to beware of), table.py, drawing.py with charts.py and forest.py; html.py puts all of it and every
answer into one file; paper.py has the published values.
"""
