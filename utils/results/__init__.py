"""The results of a finished run, computed from the rows of its evaluations and only from files that this run made.

Read training_root.py (who answered, who judged, the means), reading.py (which reads it from disk), claims.py (which
tutor is better, and warnings), table.py, drawing.py with charts.py and forest.py. html.py puts everything into one
file, with every answer (transcripts.py). paper.py has the published values.
"""
